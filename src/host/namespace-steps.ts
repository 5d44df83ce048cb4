import { closeSync, constants, openSync, writeSync } from "node:fs";
import { errnoOf, Fault, reasonOf } from "../base/index.ts";
import { asEffectiveUser } from "./effective-user.ts";
import { Homeless } from "./homeless.ts";
import { bringLoopbackUp, type InterfaceCounters, readInterfaces } from "./interface-counters.ts";
import { libc } from "./libc.ts";
import { pinNamespace, removePin } from "./namespace-pins.ts";
import { type NamespaceKind, type NamespacePins, type NamespacePlan, pinnedKinds } from "./namespace-plan.ts";
import { checked, kernel, setns, unshare } from "./syscalls.ts";
import { sysctlComponents, sysctlOwner } from "./sysctl.ts";
import { startNamespaceHolder } from "./user-namespace.ts";

// A thread that is made, and a task that is queued for Node's pool, while this one is elsewhere would stay there for
// ever: between leaving home and coming back, nothing here may be asynchronous.

const cloneFlags: Readonly<Record<NamespaceKind, number>> = {
  user: kernel.CLONE_NEWUSER,
  net: kernel.CLONE_NEWNET,
  ipc: kernel.CLONE_NEWIPC,
  uts: kernel.CLONE_NEWUTS,
};
const AF_INET = 2;
const AF_INET6 = 10;
const SOCK_STREAM = 1;
const ownLinks = "/proc/thread-self/ns"; // /proc/self is the main thread

/** The namespaces that this thread belongs to, as descriptors to come back by. */
export type Home = Readonly<Record<"net" | "ipc" | "uts", number>>;

export function openHome(): Home {
  const link = (kind: NamespaceKind) => openSync(`${ownLinks}/${kind}`, constants.O_RDONLY);
  return { net: link("net"), ipc: link("ipc"), uts: link("uts") };
}

/** Makes and pins namespaces as `NamespaceWorker.create` promises. The plan has been checked. */
export function createNamespaces(home: Home, plan: NamespacePlan): void {
  const undo: (() => void)[] = [];
  const pin = (links: string) => {
    pinAll(plan.pins, links);
    undo.push(() => unpinAll(plan.pins));
  };
  try {
    if (plan.pins.user === undefined) createInThisThread(home, plan, pin);
    else createWithUserNamespace(home, plan, pin);
  } catch (error) {
    for (const back of undo) back();
    throw error;
  }
}

function createInThisThread(home: Home, plan: NamespacePlan, pin: (links: string) => void): void {
  away(home, () => {
    step("unshare", () => unshare(flagsOf(pinnedKinds(plan.pins))));
    configure(plan);
    pin(ownLinks);
  });
}

/** A thread cannot enter a user namespace, so a process is born into it, and the thread visits the others from there. */
function createWithUserNamespace(home: Home, plan: NamespacePlan, pin: (links: string) => void): void {
  const kinds = pinnedKinds(plan.pins);
  const holder = step("clone", () => startNamespaceHolder(flagsOf(kinds), plan));
  try {
    pin(holder.links);
    away(home, () => {
      for (const kind of kinds) if (kind !== "user") enter(`${holder.links}/${kind}`, kind);
      configure(plan);
    });
  } finally {
    holder.end();
  }
}

/** Pins the namespaces that this thread is in, which are the host's. */
export function pinHostNamespaces(pins: NamespacePins): void {
  pinAll(pins, ownLinks);
}

/** The interfaces of the network namespace pinned at `path`. */
export function interfacesIn(home: Home, path: string): readonly InterfaceCounters[] {
  return away(home, () => {
    enter(path, "net");
    return readInterfaces();
  });
}

/**
 * A TCP socket of the network namespace pinned at `path`, not connected yet. A socket belongs to the namespace in which it was made,
 * whoever uses it. The caller closes it.
 */
export function tcpSocketIn(home: Home, path: string, family: 4 | 6): number {
  return away(home, () => {
    enter(path, "net");
    const domain = family === 4 ? AF_INET : AF_INET6;
    return checked(libc().socket(domain, SOCK_STREAM | kernel.O_CLOEXEC | constants.O_NONBLOCK, 0), "socket");
  });
}

/** Runs `work`, which leaves this thread's namespaces, and comes back whatever happens. */
function away<T>(home: Home, work: () => T): T {
  try {
    return work();
  } finally {
    goHome(home);
  }
}

function goHome(home: Home): void {
  try {
    setns(home.net, kernel.CLONE_NEWNET);
    setns(home.ipc, kernel.CLONE_NEWIPC);
    setns(home.uts, kernel.CLONE_NEWUTS);
  } catch (error) {
    throw new Homeless("failed", `returning to the host's namespaces: ${reasonOf(error)}`, { cause: error });
  }
}

function enter(path: string, kind: "net" | "ipc" | "uts"): void {
  step(`entering the ${kind} namespace at ${path}`, () => {
    const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      setns(fd, cloneFlags[kind]);
    } finally {
      closeSync(fd);
    }
  });
}

function configure(plan: NamespacePlan): void {
  const { hostname } = plan;
  if (hostname !== undefined) {
    step("setting the hostname", () =>
      checked(libc().sethostname(hostname, Buffer.byteLength(hostname)), "sethostname", hostname),
    );
  }
  const ipcOwner = rootOf(plan);
  for (const [name, value] of plan.sysctls) {
    const components = sysctlComponents(name);
    const write = () => writeSysctl(components, value);
    // Those of an IPC namespace are for the root of its user namespace only: our capabilities do not count there.
    try {
      if (ipcOwner !== 0 && sysctlOwner(components) === "ipc") asEffectiveUser(ipcOwner, write);
      else write();
    } catch (error) {
      throw sysctlFault(name, value, error);
    }
  }
  if (plan.pins.net !== undefined) step("bringing lo up", bringLoopbackUp);
}

/** The host's id of the root inside: 0 when there is no user namespace, or none is mapped. */
function rootOf(plan: NamespacePlan): number {
  return plan.uidMappings?.find(({ containerId }) => containerId === 0)?.hostId ?? 0;
}

function writeSysctl(components: readonly string[], value: string): void {
  const fd = openSync(`/proc/sys/${components.join("/")}`, constants.O_WRONLY | constants.O_NOFOLLOW);
  try {
    writeSync(fd, value);
  } finally {
    closeSync(fd);
  }
}

function sysctlFault(name: string, value: string, error: unknown): Fault {
  if (error instanceof Fault) return error;
  const errno = errnoOf(error);
  const why = errno === "ENOENT" ? "the kernel has no such sysctl in a new namespace" : reasonOf(error);
  const code = errno === "ENOENT" || errno === "EINVAL" || errno === "ERANGE" ? "invalid" : "failed";
  return new Fault(code, `making namespaces: sysctl ${name}=${value}: ${why}`, { cause: error });
}

function pinAll(pins: NamespacePins, links: string): void {
  const done: string[] = [];
  try {
    for (const kind of pinnedKinds(pins)) {
      const path = pins[kind] ?? "";
      pinNamespace(`${links}/${kind}`, path);
      done.push(path);
    }
  } catch (error) {
    for (const path of done) removePin(path);
    throw error;
  }
}

function unpinAll(pins: NamespacePins): void {
  for (const kind of pinnedKinds(pins)) removePin(pins[kind] ?? "");
}

function flagsOf(kinds: readonly NamespaceKind[]): number {
  return kinds.reduce((flags, kind) => flags | cloneFlags[kind], 0);
}

function step<T>(what: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (error instanceof Fault) throw error;
    const errno = errnoOf(error);
    const full = errno === "ENOSPC"; // the limits are in /proc/sys/user
    const remark = full ? " (a limit of /proc/sys/user/max_*_namespaces is reached)" : "";
    const code = full || errno === "ENOMEM" ? "exhausted" : errno === "EPERM" ? "denied" : "failed";
    throw new Fault(code, `making namespaces: ${what}: ${reasonOf(error)}${remark}`, { cause: error });
  }
}
