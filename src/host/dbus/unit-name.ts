import { Fault } from "../../base/index.ts";

/** The full name of a systemd unit, such as `crio-conmon-3f2a….scope`. */
export type UnitName = string & { readonly __unitName: unique symbol };

/**
 * A unit name of at most 255 of the characters that systemd allows (systemd.unit(5)), with a known suffix.
 * Throws Fault("invalid"). Nothing that a pod names reaches systemd without passing here.
 */
export function parseUnitName(text: string): UnitName {
  if (!isUnitName(text))
    throw new Fault("invalid", `not the name of a systemd unit: ${JSON.stringify(text.slice(0, 300))}`);
  return text;
}

function isUnitName(text: string): text is UnitName {
  return text.length <= 255 && /^[A-Za-z0-9:_.\\@-]+\.(?:scope|slice|service)$/.test(text);
}
