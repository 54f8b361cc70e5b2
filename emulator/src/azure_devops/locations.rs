//! The location service: how Microsoft's own clients find a resource. They ask an organization for its areas, each
//! with the address that serves it, and that address with `OPTIONS` for the routes and versions of its resources.

use http::StatusCode;
use serde_json::{Value, json};

use super::{Asked, signed_in};
use crate::answer::{self, Answer};
use crate::services::{Service, Services};

/// An area, and whether the organization itself serves it or its `vssps` host does.
struct Area {
    id: &'static str,
    name: &'static str,
    served_by: Service,
}

const AREAS: [Area; 4] = [
    Area { id: "79134c72-4a58-4b42-976c-04e7115f32bf", name: "core", served_by: Service::DevOps },
    Area { id: "a85b8835-c1a1-4aac-ae97-1c3d0ba72dbd", name: "distributedtask", served_by: Service::DevOps },
    Area { id: "1814ab31-2f4f-4a9f-8761-f4d77dc5a5d7", name: "serviceendpoint", served_by: Service::DevOps },
    Area { id: "55967393-20ef-45c6-a96c-b5d5d5986a9a", name: "tokens", served_by: Service::Pats },
];

/// A resource: where it is within its organization, and in which versions. A released version of `0.0` says that it
/// is under preview.
struct Resource {
    id: &'static str,
    area: &'static str,
    name: &'static str,
    route: &'static str,
    resource_version: u8,
    min: &'static str,
    released: &'static str,
}

const MAX: &str = "7.2";

const RESOURCES: [Resource; 8] = [
    Resource {
        id: "00d9565f-ed9c-4a06-9a50-00e7896ccab4",
        area: "Location",
        name: "ConnectionData",
        route: "_apis/{resource}",
        resource_version: 1,
        min: "1.0",
        released: "0.0",
    },
    Resource {
        id: "e81700f7-3be2-46de-8624-2eb35882fcaa",
        area: "Location",
        name: "ResourceAreas",
        route: "_apis/{resource}/{areaId}",
        resource_version: 1,
        min: "3.2",
        released: "0.0",
    },
    Resource {
        id: "603fe2ac-9723-48b9-88ad-09305aa6c6e1",
        area: "core",
        name: "projects",
        route: "_apis/{resource}/{*projectId}",
        resource_version: 4,
        min: "1.0",
        released: "7.1",
    },
    Resource {
        id: "f5b09dd5-9d54-45a1-8b5a-1c8287d634cc",
        area: "distributedtask",
        name: "variablegroups",
        route: "{project}/_apis/{area}/{resource}/{groupId}",
        resource_version: 2,
        min: "3.0",
        released: "7.1",
    },
    Resource {
        id: "ef5b7057-ffc3-4c77-bbad-c10b4a4abcc7",
        area: "distributedtask",
        name: "variablegroups",
        route: "_apis/{area}/{resource}/{groupId}",
        resource_version: 2,
        min: "6.0",
        released: "7.1",
    },
    Resource {
        id: "e85f1c62-adfc-4b74-b618-11a150fb195e",
        area: "serviceendpoint",
        name: "endpoints",
        route: "{project}/_apis/{area}/{resource}/{endpointId}",
        resource_version: 4,
        min: "4.1",
        released: "7.1",
    },
    Resource {
        id: "14e48fdc-2c8b-41ce-a0c3-e26f6cc55bd0",
        area: "serviceendpoint",
        name: "endpoints",
        route: "_apis/{area}/{resource}/{endpointId}",
        resource_version: 4,
        min: "6.0",
        released: "7.1",
    },
    Resource {
        id: "5a7938a4-655e-486c-b562-b78c54a7e87b",
        area: "serviceendpoint",
        name: "types",
        route: "_apis/{area}/{resource}",
        resource_version: 1,
        min: "4.1",
        released: "7.1",
    },
];

/// The routes of every resource, or of an area's.
pub(super) fn options(services: &mut Services, asked: &Asked, area: &[&str]) -> Result<Answer, Answer> {
    signed_in(services, asked.call, asked.organization, asked.now)?;
    let wanted = match area {
        [] => None,
        [area] => Some(area),
        _ => return Err(super::not_found(asked.call)),
    };
    let found = RESOURCES
        .iter()
        .filter(|resource| wanted.is_none_or(|area| resource.area.eq_ignore_ascii_case(area)));
    let value: Vec<Value> = found
        .map(|resource| {
            json!({
                "id": resource.id,
                "area": resource.area,
                "resourceName": resource.name,
                "routeTemplate": resource.route,
                "resourceVersion": resource.resource_version,
                "minVersion": resource.min,
                "maxVersion": MAX,
                "releasedVersion": resource.released,
            })
        })
        .collect();
    Ok(answer::json(StatusCode::OK, &json!({"count": value.len(), "value": value})))
}

/// Every area with the address that serves it, or one of them; `null` if there is none with that id.
pub(super) fn resource_areas(services: &mut Services, asked: &Asked, id: &[&str]) -> Result<Answer, Answer> {
    signed_in(services, asked.call, asked.organization, asked.now)?;
    super::version::preview_if_given(asked.call)?;
    let shown = |area: &Area| {
        let address = services.address(area.served_by);
        json!({
            "id": area.id,
            "name": area.name,
            "locationUrl": format!("{address}/{}/", asked.organization.name),
        })
    };
    let body = match id {
        [] => json!({"count": AREAS.len(), "value": AREAS.iter().map(shown).collect::<Vec<_>>()}),
        [id] => AREAS.iter().find(|area| area.id == *id).map_or(Value::Null, shown),
        _ => return Err(super::not_found(asked.call)),
    };
    Ok(answer::json(StatusCode::OK, &body))
}
