/** Which requests are sent, and how each is made. */
import { type Flaw, flaws, one } from "./flaws.ts";
import { type Random, randomFrom } from "./random.ts";
import { type Field, type Place, placeName, placesOf, type Rpc } from "./schema.ts";
import { decode, encode, type Occurrence, tag } from "./wire.ts";

export interface Case {
  readonly rpc: Rpc;
  /** The fields that are wrong, and what is wrong with each. None: the bytes as a whole are. */
  readonly spoilt: readonly { readonly place: Place; readonly flaw: Flaw }[];
}

/** Calls that start programs or move images: one in thirty, once all of their fields have had their turn. */
const slow = new Set([
  "RunPodSandbox",
  "CreateContainer",
  "ExecSync",
  "StopContainer",
  "UpdateContainerResources",
  "PullImage",
]);

/** Every field of every request with every flaw that it can have. */
export function allCases(rpcs: readonly Rpc[]): readonly Case[] {
  return rpcs.flatMap((rpc) =>
    placesOf(rpc.fields).flatMap((place) =>
      flaws.filter((flaw) => flaw.applies(lastOf(place))).map((flaw) => ({ rpc, spoilt: [{ place, flaw }] })),
    ),
  );
}

export interface PlanOptions {
  readonly count: number;
  readonly seed: number;
  /** How many of 64 MiB there may be; each takes the better part of a second. */
  readonly large: number;
}

/** `count` cases in an order that the seed decides: each of all cases before any other, as far as `count` goes. */
export function planCases(rpcs: readonly Rpc[], { count, seed, large }: PlanOptions): readonly Case[] {
  const random = randomFrom(seed);
  let largeLeft = large;
  const all = random.shuffled(allCases(rpcs)).filter((each) => !isLarge(each) || largeLeft-- > 0);
  const first = all.slice(0, count);
  const others = Array.from({ length: count - first.length }, () => anyCase(rpcs, random));
  return [...first, ...others];
}

export function isLarge({ spoilt }: Case): boolean {
  return spoilt.some(({ flaw }) => flaw.large);
}

export function isUndecodable({ spoilt }: Case): boolean {
  return spoilt.some(({ flaw }) => flaw.undecodable);
}

export function caseName({ rpc, spoilt }: Case): string {
  if (spoilt.length === 0) return `${rpc.name}: bytes as they come`;
  return `${rpc.name}: ${spoilt.map(({ place, flaw }) => `${placeName(place)} ${flaw.name}`).join(", ")}`;
}

/** The bytes of a case, from those of a good request. */
export function spoil({ spoilt }: Case, good: Uint8Array, random: Random): Uint8Array {
  if (spoilt.length === 0) return spoiltBytes(good, random);
  // What cannot be decoded any more comes last.
  const order = [...spoilt].sort((one, two) => Number(one.flaw.undecodable ?? 0) - Number(two.flaw.undecodable ?? 0));
  return order.reduce((bytes, { place, flaw }) => spoilField(bytes, place, flaw, random), good);
}

function anyCase(rpcs: readonly Rpc[], random: Random): Case {
  const wanted = random.below(30) === 0;
  const rpc = random.pick(rpcs.filter(({ name }) => slow.has(name) === wanted));
  const places = placesOf(rpc.fields);
  if (places.length === 0 || random.below(10) === 0) return { rpc, spoilt: [] };
  const spoiltPlace = () => {
    const place = random.pick(places);
    return { place, flaw: random.pick(flaws.filter((flaw) => flaw.applies(lastOf(place)) && !flaw.large)) };
  };
  const one = spoiltPlace();
  if (random.below(4) > 0) return { rpc, spoilt: [one] };
  const two = spoiltPlace();
  const isBad = one.flaw.undecodable === true || two.flaw.undecodable === true;
  return { rpc, spoilt: isBad ? [one] : [one, two] };
}

/** `place` may lead through messages that the good request lacks; they are made. */
function spoilField(message: Uint8Array, place: Place, flaw: Flaw, random: Random): Uint8Array {
  const [field, ...rest] = place;
  if (field === undefined) throw new Error("a place is at least one field");
  const before = decode(message);
  const own = before.filter(({ number }) => number === field.number);
  const others = before.filter(({ number }) => number !== field.number);
  if (rest.length === 0) return encode([...others, ...flaw.spoil(field, own, random)]);
  const inner = own[0]?.value ?? new Uint8Array();
  if (typeof inner === "bigint") throw new Error(`${field.name} is no message`);
  const spoilt: Occurrence = one(field, spoilField(inner, rest, flaw, random));
  return encode([...others, spoilt, ...own.slice(1)]);
}

/** Bytes cut short, with a bit turned, with bytes of nobody's, with fields of a version to come, or nothing but noise. */
function spoiltBytes(good: Uint8Array, random: Random): Uint8Array {
  const noise = (length: number) => Buffer.from(Array.from({ length }, () => random.below(256)));
  const bytes = Buffer.from(good);
  switch (random.below(5)) {
    case 0:
      return bytes.subarray(0, random.below(bytes.length + 1));
    case 1: {
      const at = random.below(bytes.length);
      if (bytes.length > 0) bytes[at] = (bytes[at] ?? 0) ^ (1 << random.below(8));
      return bytes;
    }
    case 2: {
      const at = random.below(bytes.length + 1);
      return Buffer.concat([bytes.subarray(0, at), noise(random.below(16)), bytes.subarray(at)]);
    }
    case 3:
      return Buffer.concat([bytes, tag(1000 + random.below(1000), 2), Buffer.of(3, 1, 2, 3)]);
    default:
      return noise(random.below(400));
  }
}

function lastOf(place: Place): Field {
  const field = place.at(-1);
  if (field === undefined) throw new Error("a place is at least one field");
  return field;
}
