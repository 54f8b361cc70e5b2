//! Who there is: organizations, users, app registrations. A test sets the scene with these before the
//! curtain rises; the services only look them up.

use std::time::Duration;

use jiff::Timestamp;
use uuid::Uuid;

/// The organization that is there unless others are given.
pub const ORGANIZATION: &str = "fabrikam";
/// The id of [`ORGANIZATION`].
pub const ORGANIZATION_ID: Uuid = Uuid::from_u128(0xfab1);
/// The Entra tenant that is there unless others are given.
pub const TENANT: Uuid = Uuid::from_u128(0xc047_0500);
/// The domain of [`TENANT`].
pub const TENANT_DOMAIN: &str = "contoso.example";
/// The public client that is there unless other app registrations are given.
pub const CLIENT_ID: Uuid = Uuid::from_u128(0xc11e_4700);
/// A person of [`TENANT`] who is a member of every organization of that tenant.
pub const PERSON: &str = "megan@contoso.example";
/// A person of [`TENANT`] whom no organization knows.
pub const STRANGER: &str = "alex@contoso.example";
/// A service principal of [`TENANT`], a member of every organization of that tenant.
pub const SERVICE_PRINCIPAL: &str = "contoso-build-service";

/// The client id of the machine's managed identity.
pub const MANAGED_IDENTITY: Uuid = Uuid::from_u128(0x1d_e471_7900);

/// The owner of the GitHub repository that is there.
pub const GITHUB_OWNER: &str = "contoso";
/// The GitHub repository that is there.
pub const GITHUB_REPOSITORY: &str = "fabrikam";
/// The environment of that repository.
pub const GITHUB_ENVIRONMENT: &str = "production";

/// An Azure DevOps organization.
#[derive(Clone, Debug)]
pub struct Organization {
    /// Its name, the first segment of its addresses.
    pub name: String,
    /// Its id, which `targetAccounts` and `instanceId` show.
    pub id: Uuid,
    /// The Entra tenant behind it; all zero where personal Microsoft accounts are.
    pub tenant: Uuid,
    /// What its and its tenant's administrators have decided about PATs.
    pub policies: Policies,
    /// Whether it was deactivated: nothing is served there any more.
    pub deactivated: bool,
}

impl Organization {
    /// An organization of [`TENANT`], with an id that follows from its name.
    pub fn named(name: &str) -> Self {
        let id = if name == ORGANIZATION { ORGANIZATION_ID } else { id_from(name) };
        Self { name: name.to_owned(), id, tenant: TENANT, policies: Policies::default(), deactivated: false }
    }

    /// With this id.
    pub fn id(mut self, id: Uuid) -> Self {
        self.id = id;
        self
    }

    /// Backed by this Entra tenant.
    pub fn tenant(mut self, tenant: Uuid) -> Self {
        self.tenant = tenant;
        self
    }

    /// Backed by personal Microsoft accounts: `X-VSS-ResourceTenant` is all zero, and no Entra user gets in.
    pub fn backed_by_personal_accounts(mut self) -> Self {
        self.tenant = Uuid::nil();
        self
    }

    /// Deactivated.
    pub fn deactivated(mut self) -> Self {
        self.deactivated = true;
        self
    }

    /// With these policies.
    pub fn policies(mut self, policies: Policies) -> Self {
        self.policies = policies;
        self
    }
}

/// What administrators have decided about PATs, and how fast the service is at carrying it out.
#[derive(Clone, Debug, Default)]
pub struct Policies {
    /// Tenant policy "Enforce maximum PAT lifespan".
    pub longest_lifespan: Option<Duration>,
    /// What happens to a PAT that would live longer than that.
    pub too_long: TooLong,
    /// Organization policy "Restrict PAT creation".
    pub creation: Creation,
    /// Tenant policy "Restrict full-scoped PAT creation".
    pub restrict_full_scope: bool,
    /// Tenant policy "Restrict global PAT creation".
    pub restrict_global: bool,
    /// From this instant on no global PAT works, and none can be made (announced for 2026-12-01).
    pub global_pats_end: Option<Timestamp>,
    /// How long after its creation a PAT begins to work.
    pub usable_after: Duration,
    /// How long after its creation a PAT begins to show up in lists.
    pub listed_after: Duration,
    /// How long after its revocation a PAT still works.
    pub dead_after: Duration,
    /// Whether access tokens are revoked: each is challenged that was not issued to meet such a challenge.
    pub revoke_access_tokens: bool,
    /// In which shape these policies refuse.
    pub refusal_shape: RefusalShape,
}

/// What happens to a PAT that would live longer than the policy allows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TooLong {
    /// It is silently given less: from now on when it is created, from its *creation* on when it is updated
    /// (vsts-rest-api-specs, tokens 7.2, `PatTokenCreateRequest.validTo`).
    #[default]
    Clamp,
    /// `patLifespanPolicyViolation`, as before 2024-03.
    Refuse,
}

/// Organization policy "Restrict PAT creation".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Creation {
    /// Everyone may create PATs.
    #[default]
    Allowed,
    /// Only PATs whose every scope is one of packaging.
    PackagingOnly,
    /// None.
    Disabled,
}

/// In which shape a `patTokenError` reaches the client; the service's own choice is undocumented.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RefusalShape {
    /// 200 with `patToken: null` and the error's name.
    #[default]
    Ok,
    /// 400 with the same JSON.
    BadRequest,
    /// 400 with the generic error JSON, BOM and all, whose message is the error's name in Pascal case.
    Generic,
}

/// Somebody who may sign in.
#[derive(Clone, Debug)]
pub struct User {
    /// The user principal name, or a service principal's display name. Tests know users by it.
    pub name: String,
    /// The object id in Entra, and the identity's id in Azure DevOps.
    pub id: Uuid,
    /// A person or not.
    pub kind: UserKind,
    /// The home tenant.
    pub tenant: Uuid,
    /// The organizations that know this user.
    pub membership: Membership,
}

/// A person or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UserKind {
    /// A person: the PAT API serves only these.
    Person,
    /// A service principal or managed identity.
    ServicePrincipal,
}

/// Which organizations know a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Membership {
    /// Every organization of the user's tenant.
    OfAll,
    /// These, by name; none at all if it is empty.
    Of(Vec<String>),
}

impl User {
    /// A person of [`TENANT`] whom no organization knows yet.
    pub fn person(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            id: id_from(name),
            kind: UserKind::Person,
            tenant: TENANT,
            membership: Membership::Of(Vec::new()),
        }
    }

    /// A service principal of [`TENANT`] whom no organization knows yet.
    pub fn service_principal(name: &str) -> Self {
        Self { kind: UserKind::ServicePrincipal, ..Self::person(name) }
    }

    /// At home in this tenant.
    pub fn tenant(mut self, tenant: Uuid) -> Self {
        self.tenant = tenant;
        self
    }

    /// Known in this organization too.
    pub fn member_of(mut self, organization: &str) -> Self {
        match &mut self.membership {
            Membership::OfAll => {}
            Membership::Of(organizations) => organizations.push(organization.to_owned()),
        }
        self
    }

    /// Known in every organization of the home tenant.
    pub fn member_of_all(mut self) -> Self {
        self.membership = Membership::OfAll;
        self
    }

    /// Whether the organization knows this user.
    pub(crate) fn is_known_in(&self, organization: &Organization) -> bool {
        match &self.membership {
            Membership::OfAll => self.tenant == organization.tenant,
            Membership::Of(names) => names.iter().any(|name| name.eq_ignore_ascii_case(&organization.name)),
        }
    }
}

/// An app registration: the client that signs users in.
#[derive(Clone, Debug)]
pub struct AppRegistration {
    /// Its application (client) id.
    pub client_id: Uuid,
    /// The one tenant it is registered in; none for a multi-tenant app.
    pub tenant: Option<Uuid>,
    /// "Allow public client flows".
    pub public: bool,
    /// Its client secrets, each with the end of its life.
    pub secrets: Vec<(String, Option<Timestamp>)>,
    /// Its certificates, DER.
    pub certificates: Vec<Vec<u8>>,
    /// Whose tokens it takes as proof.
    pub federated: Vec<FederatedCredential>,
    /// Where authorization codes may be sent.
    pub redirects: Vec<Redirect>,
    /// The delegated permissions on Azure DevOps, consented to.
    pub permissions: Vec<String>,
}

/// Whose tokens an app registration takes as proof of being that app. Matched exactly.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FederatedCredential {
    /// `iss`.
    pub issuer: String,
    /// `sub`.
    pub subject: String,
    /// `aud`.
    pub audience: String,
}

/// A redirect address of an app registration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redirect {
    /// The platform it is registered under, which decides the kind of client that redeems the code.
    pub platform: Platform,
    /// The address; the port of a `http://localhost` one is ignored.
    pub address: String,
}

/// The platform that a redirect is registered under.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Platform {
    /// "Mobile and desktop applications": a public client.
    Native,
    /// "Web": a confidential client.
    Web,
    /// "Single-page application": its refresh tokens live 24 hours, and it must send `Origin`.
    SinglePage,
}

/// What may be asked of Azure DevOps as [`AppRegistration::permissions`] by default.
const PERMISSIONS: [&str; 6] = [
    "vso.pats",
    "vso.pats_manage",
    "vso.variablegroups_read",
    "vso.variablegroups_manage",
    "vso.serviceendpoint",
    "vso.serviceendpoint_manage",
];

impl AppRegistration {
    /// A multi-tenant registration that can do nothing yet but holds the permissions this API needs.
    pub fn new(client_id: Uuid) -> Self {
        Self {
            client_id,
            tenant: None,
            public: false,
            secrets: Vec::new(),
            certificates: Vec::new(),
            federated: Vec::new(),
            redirects: Vec::new(),
            permissions: PERMISSIONS.map(str::to_owned).to_vec(),
        }
    }

    /// A public client: device code, and `http://localhost` as a native redirect.
    pub fn public(client_id: Uuid) -> Self {
        Self { public: true, ..Self::new(client_id) }.redirect(Platform::Native, "http://localhost")
    }

    /// A confidential client with `http://localhost` as a Web redirect; give it a proof.
    pub fn confidential(client_id: Uuid) -> Self {
        Self::new(client_id).redirect(Platform::Web, "http://localhost")
    }

    /// Registered in this tenant alone.
    pub fn single_tenant(mut self, tenant: Uuid) -> Self {
        self.tenant = Some(tenant);
        self
    }

    /// With this client secret.
    pub fn secret(mut self, secret: &str) -> Self {
        self.secrets.push((secret.to_owned(), None));
        self
    }

    /// With this client secret, which ends then.
    pub fn secret_until(mut self, secret: &str, end: Timestamp) -> Self {
        self.secrets.push((secret.to_owned(), Some(end)));
        self
    }

    /// With this certificate (PEM; the first one in it).
    ///
    /// # Panics
    /// When there is no certificate in the text.
    pub fn certificate_pem(self, pem: &str) -> Self {
        use rustls_pki_types::pem::PemObject;
        let certificate = rustls_pki_types::CertificateDer::from_pem_slice(pem.as_bytes())
            .expect("the text holds a PEM certificate");
        self.certificate_der(certificate.to_vec())
    }

    /// With this certificate (DER).
    pub fn certificate_der(mut self, der: Vec<u8>) -> Self {
        self.certificates.push(der);
        self
    }

    /// With this federated credential.
    pub fn federated(mut self, issuer: &str, subject: &str, audience: &str) -> Self {
        self.federated.push(FederatedCredential {
            issuer: issuer.to_owned(),
            subject: subject.to_owned(),
            audience: audience.to_owned(),
        });
        self
    }

    /// With this redirect address.
    pub fn redirect(mut self, platform: Platform, address: &str) -> Self {
        self.redirects.push(Redirect { platform, address: address.to_owned() });
        self
    }

    /// With exactly these delegated permissions.
    pub fn permissions(mut self, permissions: &[&str]) -> Self {
        self.permissions = permissions.iter().map(|&permission| permission.to_owned()).collect();
        self
    }
}

/// Everyone there is.
#[derive(Clone, Debug)]
pub(crate) struct Cast {
    pub(crate) organizations: Vec<Organization>,
    pub(crate) users: Vec<User>,
    pub(crate) apps: Vec<AppRegistration>,
    pub(crate) domains: Vec<(String, Uuid)>,
}

impl Cast {
    /// Fills in who is not given.
    pub(crate) fn complete(mut self) -> Self {
        if self.organizations.is_empty() {
            self.organizations.push(Organization::named(ORGANIZATION));
        }
        if self.apps.is_empty() {
            self.apps.push(AppRegistration::public(CLIENT_ID));
        }
        let standing = [
            User::person(PERSON).member_of_all(),
            User::person(STRANGER),
            User::service_principal(SERVICE_PRINCIPAL).member_of_all(),
        ];
        for user in standing {
            if self.user(&user.name).is_none() {
                self.users.push(user);
            }
        }
        self.domains.push((TENANT_DOMAIN.to_owned(), TENANT));
        self
    }

    pub(crate) fn organization(&self, name: &str) -> Option<&Organization> {
        self.organizations.iter().find(|organization| organization.name.eq_ignore_ascii_case(name))
    }

    pub(crate) fn user(&self, name: &str) -> Option<&User> {
        self.users.iter().find(|user| user.name.eq_ignore_ascii_case(name))
    }

    pub(crate) fn app(&self, client_id: Uuid) -> Option<&AppRegistration> {
        self.apps.iter().find(|app| app.client_id == client_id)
    }

    /// Whether the id or domain names a tenant that somebody here belongs to.
    pub(crate) fn tenant(&self, named: &str) -> Option<Uuid> {
        if let Some((_, tenant)) = self.domains.iter().find(|(domain, _)| domain.eq_ignore_ascii_case(named))
        {
            return Some(*tenant);
        }
        let tenant = Uuid::parse_str(named).ok().filter(|tenant| !tenant.is_nil())?;
        let known = self.organizations.iter().any(|organization| organization.tenant == tenant)
            || self.users.iter().any(|user| user.tenant == tenant)
            || self.apps.iter().any(|app| app.tenant == Some(tenant));
        known.then_some(tenant)
    }
}

/// A zero-filled GUID that follows from a name (FNV-1a), so that it is the same in every run.
pub(crate) fn id_from(name: &str) -> Uuid {
    let hash = name
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3));
    Uuid::from_u128(u128::from(hash >> 16))
}
