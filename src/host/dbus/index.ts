export { type CallOptions, type DbusAddress, DbusConnection, type MethodCall } from "./connection.ts";
export { DbusFault } from "./dbus-fault.ts";
export { type ScopePlan, scopeProperties, type UnitProperty } from "./scope-properties.ts";
export { createSystemd, type Systemd, type SystemdOptions, type UnitPropertyName } from "./systemd.ts";
export { parseUnitName, type UnitName } from "./unit-name.ts";
export { type DbusValue, isVariant, type Variant, variant } from "./value.ts";
