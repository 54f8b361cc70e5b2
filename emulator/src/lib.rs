//! Microsoft Entra and the Azure DevOps PAT lifecycle API on loopback, for tests.
