import { deadline, Fault, Flight, reasonOf, untilAborted } from "../../base/index.ts";
import { busCall, busName, type CallOptions, type DbusAddress, DbusConnection } from "./connection.ts";
import { bodyOf, type Message } from "./message.ts";
import type { DbusValue } from "./value.ts";

export const systemdName = "org.freedesktop.systemd1";
const managerPath = "/org/freedesktop/systemd1";
const managerInterface = "org.freedesktop.systemd1.Manager";

/** The system bus, then the socket on which systemd itself answers root while there is no bus. */
export const systemAddresses: readonly DbusAddress[] = [
  { socketPath: "/run/dbus/system_bus_socket", kind: "bus" },
  { socketPath: "/run/systemd/private", kind: "peer" },
];

const setUpTimeoutMs = 15_000;

/** A connection over which systemd answers and tells us of its jobs. */
export interface Linked {
  readonly connection: DbusConnection;
  callManager(
    member: string,
    signature: string,
    args: readonly DbusValue[],
    options?: CallOptions,
  ): Promise<readonly DbusValue[]>;
  /** Hands the arguments of each of systemd's own signals of that name to `listener`. */
  onManagerSignal(member: string, listener: (args: readonly DbusValue[]) => void): Disposable;
}

/**
 * The way to systemd: one connection, opened when first needed and again after it was lost (the bus or systemd was
 * restarted). Callers who come while it is being opened wait for the same attempt.
 */
export class SystemdLink {
  readonly #addresses: readonly DbusAddress[];
  readonly #opening = new Flight<"link", Linked>();
  readonly #closing = new AbortController();
  #linked: Linked | undefined;

  constructor(addresses: readonly DbusAddress[]) {
    this.#addresses = addresses;
  }

  /** The open connection. Rejects with Fault("unavailable") that says why each address failed, or with the signal's reason. */
  async get(signal?: AbortSignal): Promise<Linked> {
    this.#closing.signal.throwIfAborted();
    if (this.#linked?.connection.isOpen) return this.#linked;
    return untilAborted(
      this.#opening.join("link", async () => {
        this.#linked = await this.#open();
        return this.#linked;
      }),
      signal,
    );
  }

  /** Ends the connection for good. */
  close(): void {
    this.#closing.abort(new Fault("cancelled", "the connection to systemd was closed"));
    this.#linked?.connection.close();
  }

  async #open(): Promise<Linked> {
    using limit = deadline(setUpTimeoutMs, "connecting to systemd", this.#closing.signal);
    const failures: string[] = [];
    for (const address of this.#addresses) {
      try {
        return await link(address, limit);
      } catch (error) {
        limit.throwIfAborted();
        failures.push(reasonOf(error));
      }
    }
    throw new Fault("unavailable", `systemd cannot be reached (is it running?): ${failures.join("; ")}`);
  }
}

async function link(address: DbusAddress, signal: AbortSignal): Promise<Linked> {
  const connection = await DbusConnection.open(address, { signal });
  try {
    const isSystemd = address.kind === "bus" ? await followOwner(connection, signal) : () => true;
    const linked = linkedOver(connection, isSystemd);
    if (address.kind === "bus") {
      await connection.call(
        busCall("AddMatch", "s", [
          `type='signal',sender='${systemdName}',interface='${managerInterface}',member='JobRemoved'`,
        ]),
        { signal },
      );
      await linked.callManager("Subscribe", "", [], { signal }); // a peer gets systemd's signals without asking
    }
    signal.throwIfAborted();
    return linked;
  } catch (error) {
    connection.close();
    throw error;
  }
}

function linkedOver(connection: DbusConnection, isSystemd: (message: Message) => boolean): Linked {
  return {
    connection,
    callManager: (member, signature, args, options) =>
      connection.call(
        { destination: systemdName, path: managerPath, interface: managerInterface, member, signature, args },
        options,
      ),
    onManagerSignal: (member, listener) =>
      connection.onSignal((message) => {
        if (message.interface !== managerInterface || message.member !== member || !isSystemd(message)) return;
        listener(bodyOf(message));
      }),
  };
}

/**
 * Tells systemd's signals from those that any user of the machine may send to our address on the bus: a match rule
 * selects broadcasts only. systemd gets a new unique name when it executes itself again.
 */
async function followOwner(connection: DbusConnection, signal: AbortSignal): Promise<(message: Message) => boolean> {
  let owner: DbusValue | undefined;
  connection.onSignal((message) => {
    if (message.sender !== busName || message.member !== "NameOwnerChanged") return;
    const [name, , newOwner] = bodyOf(message);
    if (name === systemdName) owner = newOwner;
  });
  const rule = `type='signal',sender='${busName}',interface='${busName}',member='NameOwnerChanged',arg0='${systemdName}'`;
  await connection.call(busCall("AddMatch", "s", [rule]), { signal });
  [owner] = await connection.call(busCall("GetNameOwner", "s", [systemdName]), { signal });
  return (message) => message.sender !== undefined && message.sender === owner;
}
