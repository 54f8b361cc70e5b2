//! [`Emulator`]: the services on loopback, for as long as the value lives.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::{Arc, MutexGuard};
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use crate::RefusalShape;
use crate::azure_devops::{NewServiceConnection, NewVariableGroup, ServiceConnection, VariableGroup};
use crate::cast::{self, AppRegistration, Cast, Organization, Policies, User};
use crate::entra::aadsts::Aadsts;
use crate::entra::{DeviceCode, DeviceCodePolicy, DeviceCodeState, RefreshTokenState};
use crate::fault::{Fault, Instead};
use crate::github::{GitHubRights, GitHubSecret};
use crate::hold::Hold;
use crate::log::Recorded;
use crate::pats::{LARGEST_PAGE, NewPat, Pat};
use crate::scenario::Scenario;
use crate::server::{Authority, Offer, Server, Shared};
use crate::services::{Service, Services};
use crate::switchboard::Switchboard;
use crate::vault::{VaultRights, VaultSecret};

const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// Says who there is and how the services are offered.
#[derive(Clone, Debug)]
pub struct Builder {
    cast: Cast,
    policies: Option<Policies>,
    tls: bool,
    ahead: SignedDuration,
    page_size: usize,
    seed: u64,
    one_time_refresh_tokens: bool,
    addresses: Vec<(Service, SocketAddr)>,
    interface: IpAddr,
    first_port: Option<u16>,
    host: Option<String>,
    folder: Option<PathBuf>,
    scenario: Option<Scenario>,
}

impl Default for Builder {
    fn default() -> Self {
        let cast =
            Cast { organizations: Vec::new(), users: Vec::new(), apps: Vec::new(), domains: Vec::new() };
        Self {
            cast,
            policies: None,
            tls: false,
            ahead: SignedDuration::ZERO,
            page_size: LARGEST_PAGE,
            seed: 1,
            one_time_refresh_tokens: false,
            addresses: Vec::new(),
            interface: LOOPBACK,
            first_port: None,
            host: None,
            folder: None,
            scenario: None,
        }
    }
}

impl Builder {
    /// An organization; the first one takes the place of [`cast::ORGANIZATION`].
    pub fn organization(mut self, organization: Organization) -> Self {
        self.cast.organizations.push(organization);
        self
    }

    /// A user, besides [`cast::PERSON`], [`cast::STRANGER`] and [`cast::SERVICE_PRINCIPAL`], or in place of one.
    pub fn user(mut self, user: User) -> Self {
        self.cast.users.push(user);
        self
    }

    /// An app registration; the first one takes the place of [`cast::CLIENT_ID`].
    pub fn app(mut self, app: AppRegistration) -> Self {
        self.cast.apps.push(app);
        self
    }

    /// A domain by which a tenant can be named too.
    pub fn tenant_domain(mut self, domain: &str, tenant: Uuid) -> Self {
        self.cast.domains.push((domain.to_owned(), tenant));
        self
    }

    /// The policies of every organization.
    pub fn policies(mut self, policies: Policies) -> Self {
        self.policies = Some(policies);
        self
    }

    /// Everything over TLS, not the vault alone.
    pub fn tls(mut self, tls: bool) -> Self {
        self.tls = tls;
        self
    }

    /// How far the services' clock is ahead of the machine's.
    pub fn clock_offset(mut self, ahead: SignedDuration) -> Self {
        self.ahead = ahead;
        self
    }

    /// How many PATs a page holds at most, in place of 100.
    pub fn page_size(mut self, size: usize) -> Self {
        self.page_size = size;
        self
    }

    /// What everything random follows from.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// A used refresh token is dead.
    pub fn one_time_refresh_tokens(mut self) -> Self {
        self.one_time_refresh_tokens = true;
        self
    }

    /// The address of a service, in place of a free port of `127.0.0.1`. It must be this machine's own: for IMDS
    /// that is `169.254.169.254:80` within a network namespace that has it.
    pub fn listen_on(mut self, service: Service, address: SocketAddr) -> Self {
        self.addresses.push((service, address));
        self
    }

    /// The interface to listen on, in place of `127.0.0.1`: within a container, where its ports are published on
    /// loopback alone.
    pub fn interface(mut self, interface: IpAddr) -> Self {
        self.interface = interface;
        self
    }

    /// The services' ports, from this one on in the order of [`Service::ALL`], in place of free ones.
    pub fn first_port(mut self, port: u16) -> Self {
        self.first_port = Some(port);
        self
    }

    /// The name by which clients reach this machine, in place of `127.0.0.1`: in addresses and in the certificate.
    pub fn host(mut self, host: &str) -> Self {
        self.host = Some(host.to_owned());
        self
    }

    /// The folder for the CA's certificate, `ca.pem`, in place of a temporary file.
    pub fn folder(mut self, folder: &Path) -> Self {
        self.folder = Some(folder.to_owned());
        self
    }

    /// Who and what there is, from a scenario, besides what is said here.
    pub fn scenario(mut self, scenario: Scenario) -> Self {
        self.scenario = Some(scenario);
        self
    }

    /// The services alone, without a socket: for a simulation. Of a scenario, who there is; what is there begins with
    /// the emulator's clock.
    pub fn services(mut self) -> Services {
        if let Some(scenario) = &self.scenario {
            scenario.cast(&mut self.cast);
        }
        if let Some(policies) = &self.policies {
            if self.cast.organizations.is_empty() {
                self.cast.organizations.push(Organization::named(cast::ORGANIZATION));
            }
            for organization in &mut self.cast.organizations {
                organization.policies = policies.clone();
            }
        }
        let mut services = Services::new(self.cast, self.seed, self.page_size);
        services.set_one_time_refresh_tokens(self.one_time_refresh_tokens);
        services
    }

    /// Starts the services on loopback.
    ///
    /// # Panics
    /// When this machine gives no port, no thread or no temporary file.
    pub fn start(self) -> Emulator {
        self.try_start().expect("loopback has free ports, and there is a folder for temporary files")
    }

    /// Starts the services.
    ///
    /// # Errors
    /// When an address is not this machine's own or is taken, or the folder cannot be written to.
    pub fn try_start(self) -> io::Result<Emulator> {
        let offers = self.offers();
        let host = self.host.clone();
        let authority = Authority::new(host.as_deref().unwrap_or("localhost"), self.folder.as_deref())?;
        let scenario = self.scenario.clone();
        let shared = Arc::new(Shared::new(Switchboard::new(self.clone().services()), self.ahead));
        let server = Server::start(&shared, &offers, &authority)?;
        for offer in &offers {
            let scheme = if offer.tls { "https" } else { "http" };
            let address = server.address(offer.service);
            let address = match &host {
                Some(host) => format!("{scheme}://{host}:{}", address.port()),
                None => format!("{scheme}://{address}"),
            };
            shared.switchboard().services.set_address(offer.service, &address);
        }
        if let Some(scenario) = scenario {
            let now = shared.now();
            scenario.furnish(&mut shared.switchboard().services, now);
        }
        Ok(Emulator { shared, authority, _server: server })
    }

    fn offers(&self) -> Vec<Offer> {
        let offer = |(index, service): (u16, Service)| {
            let port = self.first_port.map_or(0, |first| first.saturating_add(index));
            let own = self.addresses.iter().find(|(of, _)| *of == service);
            Offer {
                service,
                tls: service.is_always_tls() || (self.tls && !service.is_never_tls()),
                address: own.map_or(SocketAddr::new(self.interface, port), |(_, address)| *address),
            }
        };
        (0..).zip(Service::ALL).map(offer).collect()
    }
}

/// The services on loopback; they stop when it is dropped.
///
/// ```
/// let emulator = adopat_emulator::Emulator::start();
/// let refresh_token = emulator.refresh_token();
/// // Run the program under test against emulator.entra_url() and emulator.service_url(), then:
/// assert!(emulator.pats().is_empty());
/// ```
#[derive(Debug)]
pub struct Emulator {
    shared: Arc<Shared>,
    authority: Authority,
    _server: Server,
}

impl Emulator {
    /// Says who there is before starting.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// Starts with one organization ([`cast::ORGANIZATION`]), one public client ([`cast::CLIENT_ID`]), and
    /// [`cast::PERSON`], who is a member.
    pub fn start() -> Self {
        Self::builder().start()
    }
}

// Where everything is.
impl Emulator {
    /// The address of a service, without a `/` at the end.
    pub fn url(&self, service: Service) -> String {
        self.services().services.address(service).to_owned()
    }

    /// In place of `https://login.microsoftonline.com`.
    pub fn entra_url(&self) -> String {
        self.url(Service::Entra)
    }

    /// In place of `https://vssps.dev.azure.com`: the PAT API.
    pub fn service_url(&self) -> String {
        self.url(Service::Pats)
    }

    /// In place of `https://dev.azure.com`.
    pub fn devops_url(&self) -> String {
        self.url(Service::DevOps)
    }

    /// In place of `https://api.github.com`.
    pub fn github_url(&self) -> String {
        self.url(Service::GitHub)
    }

    /// In place of `https://VAULT.vault.azure.net`; always over TLS.
    pub fn vault_url(&self) -> String {
        self.url(Service::Vault)
    }

    /// `ACTIONS_ID_TOKEN_REQUEST_URL` and `ACTIONS_ID_TOKEN_REQUEST_TOKEN`.
    pub fn github_id_token_request(&self) -> (String, String) {
        let services = &self.services().services;
        (services.github_request_url(), services.job().github_request_token.clone())
    }

    /// `SYSTEM_OIDCREQUESTURI` and `System.AccessToken`.
    pub fn pipelines_id_token_request(&self) -> (String, String) {
        let services = &self.services().services;
        (services.pipelines_request_url(), services.job().pipelines_access_token.clone())
    }

    /// `IDENTITY_ENDPOINT` and `IDENTITY_HEADER` of App Service.
    pub fn app_service_endpoint(&self) -> (String, String) {
        self.services().services.app_service_endpoint()
    }

    /// In place of `http://169.254.169.254`.
    pub fn imds_url(&self) -> String {
        self.url(Service::ManagedIdentity)
    }

    /// The certificate authority that clients have to trust, PEM.
    pub fn ca_pem(&self) -> &str {
        self.authority.pem()
    }

    /// A file that holds [`Self::ca_pem`].
    pub fn ca_pem_path(&self) -> &Path {
        self.authority.pem_path()
    }
}

// Time.
impl Emulator {
    /// The services' now.
    pub fn now(&self) -> Timestamp {
        self.shared.now()
    }

    /// Sets the services' clock forward (or, with a negative span, back).
    pub fn advance(&self, by: SignedDuration) {
        self.shared.advance(by);
    }
}

// Seeding, reading back, reacting.
impl Emulator {
    /// Everything, to be read and changed: what has no method of its own here has one there. No request is
    /// answered meanwhile.
    pub fn services(&self) -> MutexGuard<'_, Switchboard> {
        self.shared.switchboard()
    }

    /// The first organization, and the client id of the first app registration.
    pub fn firsts(&self) -> (Organization, Uuid) {
        let cast = &self.services().services.cast;
        (cast.organizations[0].clone(), cast.apps[0].client_id)
    }

    /// A fresh refresh token of [`cast::PERSON`] for the first app registration.
    pub fn refresh_token(&self) -> String {
        let client_id = self.services().services.cast.apps[0].client_id;
        self.refresh_token_for(cast::PERSON, client_id)
    }

    /// A fresh refresh token of a user for a client, of the kind that the client would get.
    ///
    /// # Panics
    /// When there is no such user or app registration.
    pub fn refresh_token_for(&self, user: &str, client_id: Uuid) -> String {
        let now = self.now();
        self.services().services.refresh_token(user, client_id, now)
    }

    /// A fresh access token of a user for Azure DevOps.
    ///
    /// # Panics
    /// When there is no such user.
    pub fn access_token(&self, user: &str) -> String {
        let now = self.now();
        self.services().services.access_token(user, now)
    }

    /// Puts a PAT there.
    ///
    /// # Panics
    /// When its owner or organization does not exist.
    pub fn add_pat(&self, pat: NewPat) -> Pat {
        let now = self.now();
        self.services().services.add_pat(pat, now)
    }

    /// Every PAT, in the order of its creation, as it stands now.
    pub fn pats(&self) -> Vec<Pat> {
        let now = self.now();
        self.services().services.pats(now)
    }

    /// The PATs that work.
    pub fn active_pats(&self) -> Vec<Pat> {
        self.pats().into_iter().filter(|pat| pat.status == crate::PatStatus::Active).collect()
    }

    /// The PAT with this id.
    pub fn pat(&self, authorization_id: Uuid) -> Option<Pat> {
        let now = self.now();
        self.services().services.pat(authorization_id, now)
    }

    /// Revokes a PAT, as its owner or an administrator would elsewhere.
    ///
    /// # Panics
    /// When there is none with this id.
    pub fn revoke_pat(&self, authorization_id: Uuid) {
        let now = self.now();
        self.services().services.revoke_pat(authorization_id, now);
    }

    /// Whether this refresh token can be redeemed.
    pub fn refresh_token_is_valid(&self, token: &str) -> bool {
        let now = self.now();
        self.services().services.refresh_token_state(token, now) == Some(RefreshTokenState::Valid)
    }

    /// Revokes a refresh token; a client that redeems it gets AADSTS50173.
    ///
    /// # Panics
    /// When it never was one.
    pub fn revoke_refresh_token(&self, token: &str) {
        self.services().services.revoke_refresh_token(token, 50173);
    }

    /// Lets a refresh token expire now.
    ///
    /// # Panics
    /// When it never was one.
    pub fn expire_refresh_token(&self, token: &str) {
        let now = self.now();
        self.services().services.expire_refresh_token(token, now);
    }

    /// Lets every access token expire now.
    pub fn expire_access_tokens(&self) {
        let now = self.now();
        self.services().services.expire_access_tokens(now);
    }

    /// Every device code, in the order of issue.
    pub fn device_codes(&self) -> Vec<DeviceCode> {
        self.services().services.device_codes()
    }

    /// Waits until a device code is there that nobody has answered yet, and returns its user code.
    pub fn wait_for_device_code(&self, timeout: Duration) -> Option<String> {
        let start = Instant::now();
        loop {
            let codes = self.device_codes();
            if let Some(code) = codes.into_iter().find(|code| code.state == DeviceCodeState::Pending) {
                return Some(code.user_code);
            }
            if start.elapsed() >= timeout {
                return None;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// A user signs in with this user code.
    ///
    /// # Panics
    /// When there is no such code or user.
    pub fn approve_device_code(&self, user_code: &str, user: &str) {
        self.services().services.approve_device_code(user_code, user);
    }

    /// Somebody says no to this user code.
    ///
    /// # Panics
    /// When there is no such code.
    pub fn decline_device_code(&self, user_code: &str) {
        self.services().services.decline_device_code(user_code);
    }

    /// This user code expires now.
    ///
    /// # Panics
    /// When there is no such code.
    pub fn expire_device_code(&self, user_code: &str) {
        let now = self.now();
        self.services().services.expire_device_code(user_code, now);
    }

    /// How the device code flow behaves from now on.
    pub fn set_device_code_policy(&self, policy: DeviceCodePolicy) {
        self.services().services.set_device_code_policy(policy);
    }

    /// A user signs in at the address that a client has shown; the address to which the browser is sent then.
    ///
    /// # Panics
    /// When the address does not lead there.
    pub fn sign_in_at(&self, address: &str, user: &str) -> String {
        let now = self.now();
        self.services().services.sign_in_at(address, user, now)
    }

    /// A person declines at the address that a client has shown; the address to which the browser is sent then.
    ///
    /// # Panics
    /// When the address does not lead there.
    pub fn decline_at(&self, address: &str) -> String {
        let now = self.now();
        self.services().services.decline_at(address, now)
    }

    /// A job's token, signed.
    pub fn job_token(&self, issuer: &str, subject: &str, audience: &str) -> String {
        let now = self.now();
        self.services().services.job_token(issuer, subject, audience, now)
    }

    /// A fresh fine-grained GitHub token that may write secrets, an environment's too.
    pub fn github_token(&self) -> String {
        self.github_token_with(GitHubRights::FineGrained { secrets: true, environments: true })
    }

    /// A fresh GitHub token with these rights.
    pub fn github_token_with(&self, rights: GitHubRights) -> String {
        self.services().services.github_token(rights)
    }

    /// Every secret of GitHub, opened.
    pub fn github_secrets(&self) -> Vec<GitHubSecret> {
        self.services().services.github_secrets()
    }

    /// Puts a new version of a secret into the vault.
    pub fn add_vault_secret(&self, name: &str, value: &str) {
        let now = self.now();
        self.services().services.add_vault_secret(name, value, now);
    }

    /// Gives the newest version of a secret of the vault a content type and tags, as its owner does in the portal.
    pub fn label_vault_secret(&self, name: &str, content_type: Option<&str>, tags: &[(&str, &str)]) {
        self.services().services.label_vault_secret(name, content_type, tags);
    }

    /// Every secret of the vault.
    pub fn vault_secrets(&self) -> Vec<VaultSecret> {
        self.services().services.vault_secrets()
    }

    /// A secret of the vault.
    pub fn vault_secret(&self, name: &str) -> Option<VaultSecret> {
        self.services().services.vault_secret(name).cloned()
    }

    /// What an identity may do with the vault: a user by name, an app or a managed identity by its client id.
    pub fn set_vault_rights(&self, identity: &str, rights: VaultRights) {
        self.services().services.set_vault_rights(identity, rights);
    }

    /// Puts a variable group there, and its projects too; returns its number.
    pub fn add_variable_group(&self, group: NewVariableGroup) -> u32 {
        let now = self.now();
        self.services().services.add_variable_group(group, now)
    }

    /// Every variable group, in the order of their numbers.
    pub fn variable_groups(&self) -> Vec<VariableGroup> {
        self.services().services.variable_groups()
    }

    /// Puts a service connection there, and its projects too; returns its id.
    pub fn add_service_connection(&self, connection: NewServiceConnection) -> Uuid {
        let now = self.now();
        self.services().services.add_service_connection(connection, now)
    }

    /// Every service connection, in the order in which they came to be.
    pub fn service_connections(&self) -> Vec<ServiceConnection> {
        self.services().services.service_connections()
    }

    /// Every secret that was ever issued here, or accepted as one.
    pub fn issued_secrets(&self) -> Vec<String> {
        self.services().services.issued_secrets().to_vec()
    }

    /// Changes the policies of an organization.
    ///
    /// # Panics
    /// When there is no such organization.
    pub fn set_policies(&self, organization: &str, policies: Policies) {
        self.services().services.set_policies(organization, policies);
    }
}

// Requests and faults.
impl Emulator {
    /// Every request so far, in the order of arrival.
    pub fn requests(&self) -> Vec<Recorded> {
        self.services().requests().to_vec()
    }

    /// The requests to one service so far.
    pub fn requests_to(&self, service: Service) -> Vec<Recorded> {
        self.services().requests().iter().filter(|recorded| recorded.service == service).cloned().collect()
    }

    /// Forgets the requests so far.
    pub fn clear_requests(&self) {
        self.services().clear_requests();
    }

    /// Orders a fault; what it returns lets go of what is held, and says how often the fault struck.
    pub fn order(&self, fault: Fault) -> Hold {
        self.services().order(fault)
    }

    /// Takes back every fault, and lets go of what they hold.
    pub fn clear_faults(&self) {
        self.services().clear_faults();
    }

    /// The next call to the PAT API with this method is refused by name.
    pub fn refuse_next_pat_call(&self, method: &str, error: &str, shape: RefusalShape) -> Hold {
        self.order(Fault::on(Service::Pats).method(method).pat_token_error(error, shape))
    }

    /// The next token request is refused with this AADSTS code.
    pub fn refuse_next_token_request(&self, code: u32) -> Hold {
        let refusal = Instead::Aadsts(Box::new(Aadsts::code(code)));
        self.order(Fault::on(Service::Entra).method("POST").path("/oauth2/v2.0/token").instead(refusal))
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        self.clear_faults();
    }
}
