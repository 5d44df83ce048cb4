/** What can be wrong with a field. */
import { lineEnds, separators } from "../bad-requests/variants.ts";
import type { Random } from "./random.ts";
import type { Field } from "./schema.ts";
import { encode, type Occurrence, tag, varint } from "./wire.ts";

export interface Flaw {
  readonly name: string;
  /** Whether a field of this type can have it. */
  applies(field: Field): boolean;
  /** The field's occurrences in its message with the flaw, from those of a good request (which may be none). */
  spoil(field: Field, good: readonly Occurrence[], random: Random): readonly Occurrence[];
  /** Nobody can decode it: gRPC itself has an answer to that. */
  readonly undecodable?: true;
  /** It takes so many bytes that such requests go one by one. */
  readonly large?: true;
}

const oversizedBytes = 64 << 20;

const isText = ({ type }: Field) => type === "string" || type === "bytes";
const isNumber = ({ type }: Field) => type === "integer" || type === "enum";
const isInteger = ({ type }: Field) => type === "integer";
const any = () => true;

/** Texts that mean something to a path, a shell, a pattern, a terminal or a unit file. */
const paths = [
  "..",
  "../..",
  "../../../../../../fuzz-made/up",
  "/..",
  "/fuzz-made/../../..",
  "./.",
  "//",
  "/",
  "a/../../b",
];
const words = [
  "__proto__",
  "constructor",
  "null",
  "-1",
  "0",
  "NaN",
  "1e309",
  "*",
  "[",
  "-",
  "--",
  ".",
  " ",
  "\\x2d",
  "%i",
  "~",
  "é",
  "\u202e",
  "😀",
  "ＦＦ",
];

/** What pods and containers are told by annotation, with texts that some parser has a case for. */
const annotations = [
  "io.kubernetes.cri-o.userns-mode",
  "userns-mode.crio.io",
  "io.kubernetes.cri-o.umask",
  "umask.crio.io",
  "shm-size.crio.io",
  "io.kubernetes.cri-o.ShmSize",
  "unified-cgroup.crio.io",
  "io.kubernetes.cri-o.UnifiedCgroup",
  "io.kubernetes.cri-o.Devices",
  "devices.crio.io",
  "io.kubernetes.cri-o.cgroup2-mount-hierarchy-rw",
  "cgroup2-mount-hierarchy-rw.crio.io",
  "seccomp-notifier-action.crio.io",
  "link-logs.crio.io",
  "platform-runtime-path.crio.io",
  "io.kubernetes.cri-o.TrySkipVolumeSELinuxLabel",
  "kubernetes.io/ingress-bandwidth",
  "kubernetes.io/egress-bandwidth",
  "io.kubernetes.pod.terminationGracePeriod",
  "org.systemd.property.ExecStartPre",
  "run.oci.hooks.stdout",
  "io.kubernetes.cri-o.SandboxID",
  "io.kubernetes.cri-o.ContainerType",
  "io.kubernetes.cri-o.MountPoint",
  "target.workload.crio.io/x",
];
const annotationValues = [
  "",
  "-1",
  "0",
  "99999999999999999999",
  "auto:size=0",
  "auto:size=4294967296",
  "private:uidmapping=0:0:1",
  "auto:",
  "0999",
  "022",
  "1Gi",
  "1e400",
  "true",
  "/dev/null:/dev/x:rwm",
  "/../dev/mem",
  "memory.max=1;x",
  "MQ==;bad",
  "\n",
  "a=b\nc=d",
  "{",
  "[]",
  '"',
  "1E+9999999",
];

export const flaws: readonly Flaw[] = [
  { name: "missing", applies: any, spoil: () => [] },
  {
    name: "empty",
    applies: any,
    spoil: (field) => [one(field, isNumber(field) || field.type === "boolean" ? 0n : new Uint8Array())],
  },
  numbers("negative", [-1n, -2n, -(2n ** 31n), -(2n ** 31n) - 1n, -(2n ** 53n) - 1n, -(2n ** 63n)]),
  numbers("above 2^31", [2n ** 31n, 2n ** 31n + 1n, 2n ** 32n - 1n, 2n ** 32n, 2n ** 32n + 1n]),
  numbers("above 2^53", [2n ** 53n, 2n ** 53n + 1n, 2n ** 62n, 2n ** 63n - 1n]),
  numbers("above 2^63", [2n ** 63n, 2n ** 63n + 1n, 2n ** 64n - 1n]),
  numbers("small and odd", [1n, 2n, 3n, 7n, 255n, 1000n, 65_535n, 65_536n, 1_000_001n], isInteger),
  {
    name: "unknown value",
    applies: ({ type }) => type === "enum" || type === "boolean",
    spoil: (field, _good, random) => [
      one(field, random.pick([BigInt(field.highest) + 1n, 99n, 128n, -1n, 2n ** 31n - 1n, 2n ** 32n + 1n, 2n ** 63n])),
    ],
  },
  texts("control characters", (good, random) => inserted(good, random.pick(lineEnds), random)),
  texts("separators", (good, random) => inserted(good, random.pick(separators), random)),
  texts("a path upwards", (good, random) => random.pick([...paths, `${good}/../../up`, `${good}/..`, `../${good}`])),
  texts("a word with a meaning", (_good, random) => random.pick(words)),
  texts("long", (good, random) => `${good}${"x".repeat(random.pick([63, 64, 255, 256, 4095, 4096, 70_000, 140_000]))}`),
  texts("deep", (good, random) => `${good}${"/x".repeat(random.pick([50, 2000]))}`),
  // As much as passes the door, so that the field is reached; the door itself looks at bytes alone, whatever field they are of.
  oversized("oversized", 7 << 20),
  { ...oversized("oversized, 64 MiB", oversizedBytes), large: true },
  {
    name: "many",
    applies: ({ repeated }) => repeated,
    spoil: (field, good, random) => {
      const each = good[0] ?? one(field, isNumber(field) ? 1n : Buffer.from(isText(field) ? "x" : ""));
      return Array.from({ length: random.pick([2, 3, 100, 3000]) }, () => each);
    },
  },
  {
    name: "more than can be counted",
    applies: ({ repeated }) => repeated,
    large: true,
    spoil: (field) => [
      { ...one(field, 0n), raw: filled(Buffer.concat([tag(field.number, isNumber(field) ? 0 : 2), Buffer.of(0)])) },
    ],
  },
  {
    name: "twice",
    applies: ({ repeated }) => !repeated,
    spoil: (field, good, random) => {
      const [
        first = one(field, isNumber(field) || field.type === "boolean" ? 1n : Buffer.from(isText(field) ? "x" : "")),
      ] = good;
      const other = typeof first.value === "bigint" ? 3n : isText(field) ? Buffer.from("other") : new Uint8Array();
      return random.pick([
        [first, first],
        [first, one(field, other)],
        [one(field, other), first],
      ]);
    },
  },
  {
    name: "duplicate keys",
    applies: ({ isMap }) => isMap,
    spoil: (field, good, random) => {
      const [first = one(field, entry("key", "value"))] = good;
      const key = random.pick(["key", "", "__proto__", "a\nb"]);
      return random.pick([
        [first, first],
        [one(field, entry(key, "one")), one(field, entry(key, "two")), ...good],
        [one(field, Buffer.concat([entry(key, "one"), entry("second", "two")]))],
      ]);
    },
  },
  {
    name: "an annotation that is parsed",
    applies: ({ isMap, name }) => isMap && name === "annotations",
    spoil: (field, good, random) => [
      ...good,
      one(field, entry(random.pick(annotations), random.pick(annotationValues))),
    ],
  },
  {
    name: "another wire type",
    applies: any,
    spoil: (field, _good, random) => {
      const number = isNumber(field) || field.type === "boolean";
      const raw = random.pick([
        number
          ? Buffer.concat([tag(field.number, 2), Buffer.of(1, 120)])
          : Buffer.concat([tag(field.number, 0), Buffer.of(1)]),
        Buffer.concat([tag(field.number, 1), Buffer.alloc(8, 1)]),
        Buffer.concat([tag(field.number, 5), Buffer.alloc(4, 1)]),
      ]);
      return [{ ...one(field, 0n), raw }];
    },
  },
  undecodable("a length beyond the end", (field) =>
    Buffer.concat([tag(field.number, 2), varint(2n ** 20n), Buffer.of(1)]),
  ),
  undecodable("a length beyond memory", (field) => Buffer.concat([tag(field.number, 2), varint(2n ** 32n - 1n)])),
  undecodable("a number without end", (field) => Buffer.concat([tag(field.number, 0), Buffer.alloc(12, 0xff)])),
  undecodable("a tag of no field", () => Buffer.of(0, 0)),
  undecodable("a wire type that is none", (field, random) => tag(field.number, random.pick([6, 7]))),
  undecodable("a group", (field) => Buffer.concat([tag(field.number, 3), tag(field.number, 4)])),
  undecodable("a group without beginning", (field) => tag(field.number, 4)),
  undecodable("groups without end", (field) => Buffer.alloc(4 << 10, tag(field.number, 3))),
  undecodable(
    "not UTF-8",
    (field, random) => {
      const text = random.pick([
        Buffer.of(0xff),
        Buffer.of(0xc0, 0x80),
        Buffer.of(0xed, 0xa0, 0x80),
        Buffer.of(0x61, 0xe2, 0x82),
      ]);
      return Buffer.concat([tag(field.number, 2), varint(BigInt(text.length)), text]);
    },
    ({ type }) => type === "string",
  ),
];

function oversized(name: string, bytes: number): Flaw {
  return {
    name,
    applies: isText,
    spoil: (field, _good, random) => [one(field, Buffer.alloc(bytes, random.pick(["a", "/", "\n", "é", "0:0"])))],
  };
}

export function one({ number }: Field, value: bigint | Uint8Array): Occurrence {
  return { number, value };
}

function numbers(name: string, values: readonly bigint[], applies: (field: Field) => boolean = isNumber): Flaw {
  return { name, applies, spoil: (field, _good, random) => [one(field, random.pick(values))] };
}

function texts(name: string, change: (good: string, random: Random) => string): Flaw {
  return {
    name,
    applies: isText,
    spoil: (field, good, random) => {
      const value = good[0]?.value ?? Buffer.from("x");
      if (typeof value === "bigint") throw new Error(`${field.name} is no text`);
      return [one(field, Buffer.from(change(Buffer.from(value).toString(), random)))];
    },
  };
}

function undecodable(
  name: string,
  raw: (field: Field, random: Random) => Uint8Array,
  applies: (field: Field) => boolean = any,
): Flaw {
  return {
    name,
    applies,
    undecodable: true,
    spoil: (field, good, random) => [...good, { ...one(field, 0n), raw: raw(field, random) }],
  };
}

function inserted(good: string, mark: string, random: Random): string {
  const at = random.below(good.length + 1);
  return `${good.slice(0, at)}${mark}${good.slice(at)}`;
}

function entry(key: string, value: string): Uint8Array {
  return encode([
    { number: 1, value: Buffer.from(key) },
    { number: 2, value: Buffer.from(value) },
  ]);
}

function filled(pattern: Uint8Array): Uint8Array {
  const length = oversizedBytes - (oversizedBytes % pattern.length);
  return Buffer.alloc(length, pattern);
}
