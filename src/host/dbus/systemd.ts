import { deadline, Fault, isFault } from "../../base/index.ts";
import type { DbusAddress } from "./connection.ts";
import { type JobResult, runJob } from "./job.ts";
import type { UnitProperty } from "./scope-properties.ts";
import { type Linked, SystemdLink, systemAddresses, systemdName } from "./systemd-link.ts";
import type { UnitName } from "./unit-name.ts";
import { type DbusValue, isVariant } from "./value.ts";

export interface SystemdOptions {
  /** How long the whole operation, a job's end included, may take; 30 s when absent. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal | undefined;
}

/**
 * What is asked of systemd, over its D-Bus interface (org.freedesktop.systemd1(5)).
 *
 * All methods reject with Fault("unavailable") while systemd cannot be reached, Fault("deadline") after the time
 * allowed, the signal's reason, or a DbusFault with systemd's own words. The connection is made by the first call
 * and again by the first one after it was lost; a call that was under way then is not repeated.
 */
export interface Systemd {
  /** Makes a unit that lives until it ends and waits until it runs. One of that name that failed earlier is forgotten first. */
  startTransientUnit(name: UnitName, properties: readonly UnitProperty[], options?: SystemdOptions): Promise<void>;
  /** Stops a unit and waits until it has ended. False when there is no such unit. */
  stopUnit(name: UnitName, options?: SystemdOptions): Promise<boolean>;
  /** Forgets that a unit failed, so that it goes away. False when there is no such unit. */
  resetFailedUnit(name: UnitName, options?: SystemdOptions): Promise<boolean>;
  /** A property of a loaded unit; undefined when the unit is not loaded or this systemd does not know the property. */
  unitProperty(name: UnitName, property: UnitPropertyName, options?: SystemdOptions): Promise<DbusValue | undefined>;
  /** Ends the connection; every later call rejects with Fault("cancelled"). */
  close(): void;
}

export interface UnitPropertyName {
  /** Which of the unit's interfaces has it: `Unit` what all units have, the others what their kind has. */
  readonly of: "Unit" | "Scope" | "Slice" | "Service";
  readonly name: string;
}

const defaultTimeoutMs = 30_000;

/** Talks to the systemd of this machine, or to that at `addresses`, which are tried in order. Connects when first needed. */
export function createSystemd(options: { readonly addresses?: readonly DbusAddress[] } = {}): Systemd {
  const link = new SystemdLink(options.addresses ?? systemAddresses);

  /** Runs `work` over an open connection with one deadline over everything. */
  const within = async <T>(
    step: string,
    { timeoutMs = defaultTimeoutMs, signal }: SystemdOptions,
    work: (linked: Linked, limit: AbortSignal) => Promise<T>,
  ): Promise<T> => {
    using limit = deadline(timeoutMs, step, signal);
    limit.throwIfAborted();
    return await work(await link.get(limit), limit);
  };

  return {
    startTransientUnit: (name, properties, options = {}) =>
      within(`starting ${name}`, options, (linked, limit) => startTransientUnit(linked, name, properties, limit)),
    stopUnit: (name, options = {}) =>
      within(`stopping ${name}`, options, (linked, limit) => stopUnit(linked, name, limit)),
    resetFailedUnit: (name, options = {}) =>
      within(`resetting ${name}`, options, (linked, limit) => resetFailedUnit(linked, name, limit)),
    unitProperty: (name, property, options = {}) =>
      within(`reading ${property.name} of ${name}`, options, (linked, limit) =>
        unitProperty(linked, name, property, limit),
      ),
    close: () => link.close(),
  };
}

async function startTransientUnit(
  linked: Linked,
  name: UnitName,
  properties: readonly UnitProperty[],
  signal: AbortSignal,
): Promise<void> {
  const start = () =>
    runJob(
      linked,
      name,
      () => linked.callManager("StartTransientUnit", "ssa(sv)a(sa(sv))", [name, "replace", properties, []], { signal }),
      signal,
    );
  let result: JobResult;
  try {
    result = await start();
  } catch (error) {
    if (!isFault(error, "exists")) throw error;
    await resetFailedUnit(linked, name, signal);
    result = await start();
  }
  if (result === "done") return;
  await resetFailedUnit(linked, name, signal);
  throw new Fault("failed", `starting ${name}: systemd's job ended with ${JSON.stringify(result)}`);
}

async function stopUnit(linked: Linked, name: UnitName, signal: AbortSignal): Promise<boolean> {
  const stop = () => linked.callManager("StopUnit", "ss", [name, "replace"], { signal });
  const result = await unlessMissing(runJob(linked, name, stop, signal));
  if (result === undefined) return false;
  if (result !== "done")
    throw new Fault("failed", `stopping ${name}: systemd's job ended with ${JSON.stringify(result)}`);
  return true;
}

async function resetFailedUnit(linked: Linked, name: UnitName, signal: AbortSignal): Promise<boolean> {
  return (await unlessMissing(linked.callManager("ResetFailedUnit", "s", [name], { signal }))) !== undefined;
}

async function unitProperty(
  linked: Linked,
  unit: UnitName,
  property: UnitPropertyName,
  signal: AbortSignal,
): Promise<DbusValue | undefined> {
  // Not by the unit's path: asking for a path loads the unit, and one that does not exist then looks like a stopped one.
  const [path] = (await unlessMissing(linked.callManager("GetUnit", "s", [unit], { signal }))) ?? [];
  if (typeof path !== "string") return undefined;
  const call = {
    destination: systemdName,
    path,
    interface: "org.freedesktop.DBus.Properties",
    member: "Get",
    signature: "ss",
    args: [`org.freedesktop.systemd1.${property.of}`, property.name],
  };
  const [value] = (await unlessMissing(linked.connection.call(call, { signal }))) ?? [];
  return value !== undefined && isVariant(value) ? value.value : value;
}

/** What systemd does not know is undefined. */
async function unlessMissing<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work;
  } catch (error) {
    if (isFault(error, "not-found")) return undefined;
    throw error;
  }
}
