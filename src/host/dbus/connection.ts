import type { Socket } from "node:net";
import { deadline, Fault, inStep, reasonOf, untilAborted, withStep } from "../../base/index.ts";
import { faultFromReply } from "./dbus-fault.ts";
import { Framing } from "./framing.ts";
import { bodyOf, decodeMessage, encodeMessage, type Message, type MessageHeader } from "./message.ts";
import { type AuthenticatedSocket, openSocket } from "./open-socket.ts";
import type { DbusValue } from "./value.ts";

export interface DbusAddress {
  readonly socketPath: string;
  /** `bus`: a message bus with many clients behind it. `peer`: the service itself is at the other end. */
  readonly kind: "bus" | "peer";
}

export interface MethodCall {
  readonly destination: string;
  readonly path: string;
  readonly interface: string;
  readonly member: string;
  readonly signature?: string;
  readonly args?: readonly DbusValue[];
}

export interface CallOptions {
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal | undefined;
}

/** What other D-Bus libraries wait for an answer. */
const defaultCallTimeoutMs = 25_000;
const openTimeoutMs = 10_000;
const maxCallsUnderWay = 4096;
/** Strangers' calls are not answered while this much waits to be sent. */
const maxUnsentBytes = 1024 * 1024;

/** The name under which a bus speaks of itself; it is reserved, so no client can pretend. */
export const busName = "org.freedesktop.DBus";

/**
 * One connection to a message bus or to a service: calls out, signals in. It exports nothing: calls from others are
 * answered with `UnknownMethod`. Once lost it stays lost; whoever needs another opens another.
 */
export class DbusConnection {
  readonly kind: DbusAddress["kind"];
  readonly #socket: Socket;
  readonly #framing = new Framing();
  readonly #calls = new Map<number, PromiseWithResolvers<Message>>();
  readonly #signalListeners = new Set<(message: Message) => void>();
  readonly #lossListeners = new Set<(reason: Fault) => void>();
  #lost: Fault | undefined;
  #lastSerial = 0;

  private constructor(kind: DbusAddress["kind"], { socket, rest }: AuthenticatedSocket) {
    this.kind = kind;
    this.#socket = socket;
    socket.on("data", (chunk: Buffer) => this.#receive(chunk));
    socket.on("error", (error) => this.#lose(new Fault("unavailable", `D-Bus: ${error.message}`, { cause: error })));
    socket.on("close", () => this.#lose(new Fault("unavailable", "D-Bus: the connection was closed")));
    this.#receive(rest);
    socket.resume();
  }

  /** Connects, authenticates and, on a bus, says hello. Rejects with Fault("unavailable" | "denied" | "deadline") or the signal's reason. */
  static async open(address: DbusAddress, options: { readonly signal?: AbortSignal } = {}): Promise<DbusConnection> {
    using limit = deadline(openTimeoutMs, `connecting to D-Bus at ${address.socketPath}`, options.signal);
    const connection = new DbusConnection(address.kind, await openSocket(address.socketPath, limit));
    if (address.kind === "peer") return connection;
    try {
      await connection.call(busCall("Hello"), { signal: limit });
      return connection;
    } catch (error) {
      connection.close();
      throw error;
    }
  }

  get isOpen(): boolean {
    return this.#lost === undefined;
  }

  /**
   * Calls a method and gives its results. Rejects with a DbusFault when the peer answers with an error,
   * Fault("deadline") without an answer in time, Fault("unavailable") when the connection is lost, or the signal's reason.
   */
  async call(call: MethodCall, options: CallOptions = {}): Promise<readonly DbusValue[]> {
    const step = `D-Bus call ${call.interface}.${call.member}`;
    const next = { atMs: performance.now() + (options.timeoutMs ?? defaultCallTimeoutMs), what: "is given up" };
    using limit = deadline(options.timeoutMs ?? defaultCallTimeoutMs, step, options.signal);
    limit.throwIfAborted();
    if (this.#lost !== undefined) throw withStep(step, this.#lost);
    if (this.#calls.size >= maxCallsUnderWay) throw new Fault("exhausted", `${step}: ${this.#calls.size} calls wait`);
    const serial = this.#nextSerial();
    const answer = Promise.withResolvers<Message>();
    const bytes = encodeMessage(
      { ...headerOf(call), kind: "call" },
      { serial, signature: call.signature ?? "", values: call.args ?? [] },
    );
    this.#calls.set(serial, answer);
    try {
      this.#socket.write(bytes);
      const waiting = () => untilAborted(answer.promise, limit);
      const reply = await inStep(step, waiting, {
        waitsFor: { is: "server", url: "systemd, over D-Bus", phase: () => "its answer" },
        next: () => next,
      }).catch((error: unknown) => {
        throw error === this.#lost ? withStep(step, error) : error;
      });
      if (reply.kind === "error") throw faultFromReply(step, reply);
      return bodyOf(reply);
    } finally {
      this.#calls.delete(serial);
    }
  }

  /** Hands every signal that arrives to `listener`, in order, until disposed. Whoever may send us signals, may: check `sender`. */
  onSignal(listener: (message: Message) => void): Disposable {
    this.#signalListeners.add(listener);
    return { [Symbol.dispose]: () => void this.#signalListeners.delete(listener) };
  }

  /** Tells `listener`, once, why the connection ended; at once when it has ended already. */
  onLoss(listener: (reason: Fault) => void): Disposable {
    if (this.#lost !== undefined) listener(this.#lost);
    else this.#lossListeners.add(listener);
    return { [Symbol.dispose]: () => void this.#lossListeners.delete(listener) };
  }

  /** Ends the connection. Calls under way reject with Fault("unavailable"). */
  close(): void {
    this.#lose(new Fault("unavailable", "D-Bus: the connection was closed by us"));
  }

  #receive(chunk: Buffer): void {
    if (this.#lost !== undefined) return;
    try {
      for (const bytes of this.#framing.push(chunk)) {
        const message = decodeMessage(bytes);
        if (message !== undefined) this.#dispatch(message);
      }
    } catch (error) {
      // What follows cannot be told apart any more.
      this.#lose(new Fault("unavailable", `D-Bus: the connection was given up: ${reasonOf(error)}`, { cause: error }));
    }
  }

  #dispatch(message: Message): void {
    switch (message.kind) {
      case "return":
      case "error":
        this.#calls.get(message.replySerial ?? 0)?.resolve(message); // none: its caller has left
        break;
      case "signal":
        for (const listener of this.#signalListeners) listener(message);
        break;
      case "call":
        this.#refuse(message);
        break;
    }
  }

  #refuse(call: Message): void {
    if (call.noReply || this.#socket.writableLength > maxUnsentBytes) return;
    const header: MessageHeader = {
      kind: "error",
      errorName: "org.freedesktop.DBus.Error.UnknownMethod",
      replySerial: call.serial,
      ...(call.sender === undefined ? {} : { destination: call.sender }),
    };
    const values = ["this connection offers no methods"];
    this.#socket.write(encodeMessage(header, { serial: this.#nextSerial(), signature: "s", values }));
  }

  #nextSerial(): number {
    do {
      this.#lastSerial = this.#lastSerial >= 0xffff_ffff ? 1 : this.#lastSerial + 1;
    } while (this.#calls.has(this.#lastSerial));
    return this.#lastSerial;
  }

  #lose(reason: Fault): void {
    if (this.#lost !== undefined) return;
    this.#lost = reason;
    this.#socket.destroy();
    this.#signalListeners.clear();
    for (const call of this.#calls.values()) {
      call.promise.catch(() => {}); // its caller may have left in this very moment
      call.reject(reason);
    }
    for (const listener of this.#lossListeners) listener(reason);
    this.#lossListeners.clear();
  }
}

/** A call to the bus itself. */
export function busCall(member: string, signature = "", args: readonly DbusValue[] = []): MethodCall {
  return { destination: busName, path: "/org/freedesktop/DBus", interface: busName, member, signature, args };
}

function headerOf(call: MethodCall) {
  return { destination: call.destination, path: call.path, interface: call.interface, member: call.member };
}
