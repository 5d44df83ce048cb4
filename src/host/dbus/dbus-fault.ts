import { Fault, type FaultCode } from "../../base/index.ts";
import { bodyOf, type Message } from "./message.ts";

/** A call that the peer answered with an error. `dbusError` is the error's name, such as `org.freedesktop.systemd1.NoSuchUnit`. */
export class DbusFault extends Fault {
  readonly dbusError: string;

  constructor(code: FaultCode, message: string, dbusError: string) {
    super(code, message);
    this.dbusError = dbusError;
  }
}

const codes: ReadonlyMap<string, FaultCode> = new Map([
  ["org.freedesktop.systemd1.NoSuchUnit", "not-found"],
  ["org.freedesktop.systemd1.UnitExists", "exists"],
  ["org.freedesktop.DBus.Error.UnknownProperty", "not-found"],
  ["org.freedesktop.DBus.Error.UnknownObject", "not-found"],
  ["org.freedesktop.DBus.Error.UnknownInterface", "not-found"],
  ["org.freedesktop.DBus.Error.AccessDenied", "denied"],
  ["org.freedesktop.DBus.Error.InteractiveAuthorizationRequired", "denied"],
  ["org.freedesktop.DBus.Error.InvalidArgs", "invalid"],
  ["org.freedesktop.DBus.Error.PropertyReadOnly", "invalid"],
  ["org.freedesktop.DBus.Error.LimitsExceeded", "exhausted"],
  ["org.freedesktop.DBus.Error.NoMemory", "exhausted"],
  ["org.freedesktop.DBus.Error.NoReply", "deadline"],
  ["org.freedesktop.DBus.Error.TimedOut", "deadline"],
  ["org.freedesktop.DBus.Error.ServiceUnknown", "unavailable"],
  ["org.freedesktop.DBus.Error.NameHasNoOwner", "unavailable"],
  ["org.freedesktop.DBus.Error.Disconnected", "unavailable"],
]);

/** What an error message means; `step` says which call it answers. The peer's words are kept. */
export function faultFromReply(step: string, message: Message): DbusFault {
  const name = message.errorName ?? "an error without a name";
  const text = textOf(message);
  return new DbusFault(codes.get(name) ?? "failed", `${step}: ${text === "" ? name : `${text} (${name})`}`, name);
}

/** By convention the first argument of an error is a sentence. */
function textOf(message: Message): string {
  if (!message.signature.startsWith("s")) return "";
  const [text] = bodyOf(message);
  return typeof text === "string" ? text.slice(0, 1000) : "";
}
