import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { capabilitiesProblem, capabilityOf } from "./capabilities.ts";
import { parseCpuset } from "./cpuset.ts";
import { parseDevice } from "./device.ts";
import { parseGoBool, parseGoInt } from "./go-values.ts";
import { parseLogLevel } from "./log-options.ts";
import { parseMemorySize } from "./memory-size.ts";
import { suggestion } from "./suggest.ts";
import { parseSysctl } from "./sysctl.ts";
import { timezoneProblem } from "./timezone.ts";
import { parseUlimit } from "./ulimit.ts";

const invalid = { name: "Fault", code: "invalid" };

/** One table per parser: what is read as what, and what is refused. */
function parser<T>(
  name: string,
  parse: (text: string) => T,
  good: readonly (readonly [string, T])[],
  bad: readonly string[],
) {
  describe(name, () => {
    for (const [text, value] of good) {
      it(`reads ${JSON.stringify(text)}`, () => assert.deepEqual(parse(text), value));
    }
    for (const text of bad) {
      it(`refuses ${JSON.stringify(text.slice(0, 40))}`, () => assert.throws(() => parse(text), invalid));
    }
  });
}

parser(
  "parseMemorySize",
  parseMemorySize,
  [
    ["0", 0n],
    ["32", 32n],
    ["32b", 32n],
    ["32 KB", 32768n],
    ["500KiB", 512000n],
    ["12MiB", 12582912n],
    ["1.5g", 1610612736n],
    ["2t", 2199023255552n],
    ["1p", 1125899906842624n],
  ],
  ["", "x", "-1", "1 2", "12MiBs", "1e3", ".5", "12 mib mib", "9".repeat(40), "__proto__"],
);

parser(
  "parseCpuset",
  parseCpuset,
  [
    ["", []],
    ["0", [0]],
    ["0-3,8", [0, 1, 2, 3, 8]],
    ["8,0-1,1", [0, 1, 8]],
  ],
  ["a", "3-1", "1-", "-1", "0-99999999999", "1;2", ",", "0-70000"],
);

const unlimited = 2n ** 64n - 1n;
parser(
  "parseUlimit",
  parseUlimit,
  [
    ["nofile=1024:2048", { type: "RLIMIT_NOFILE", soft: 1024n, hard: 2048n }],
    ["core=0", { type: "RLIMIT_CORE", soft: 0n, hard: 0n }],
    ["memlock=-1:-1", { type: "RLIMIT_MEMLOCK", soft: unlimited, hard: unlimited }],
    ["stack=1:-1", { type: "RLIMIT_STACK", soft: 1n, hard: unlimited }],
  ],
  [
    "",
    "nofile",
    "nofile=",
    "nofile=a",
    "nofile=3:1",
    "files=1",
    "nofile=-1:5",
    "NOFILE=1",
    "nofile=1:2:3",
    "constructor=1",
  ],
);

parser(
  "parseDevice",
  parseDevice,
  [
    ["/dev/sdc", { source: "/dev/sdc", destination: "/dev/sdc", permissions: "rwm" }],
    ["/dev/sdc:r", { source: "/dev/sdc", destination: "/dev/sdc", permissions: "r" }],
    ["/dev/sdc:/dev/xvdc", { source: "/dev/sdc", destination: "/dev/xvdc", permissions: "rwm" }],
    ["/dev/sdc:/dev/xvdc:mr", { source: "/dev/sdc", destination: "/dev/xvdc", permissions: "mr" }],
  ],
  [
    "",
    ":",
    "/dev/sdc:/etc/x",
    "/dev/sdc:/dev/../etc/x",
    "/dev/sdc:/dev/x:rr",
    "/dev/sdc:/dev/x:rwx",
    "/dev/a:/dev/b:r:w",
  ],
);

parser(
  "parseSysctl",
  parseSysctl,
  [
    ["net.ipv4.ping_group_range=0 1", { key: "net.ipv4.ping_group_range", value: "0 1" }],
    ["a=b=c", { key: "a", value: "b=c" }],
  ],
  ["", "a", "a=", "=b", "a =b", "a= b", "a=b "],
);

parser(
  "parseGoInt",
  parseGoInt,
  [
    ["0", 0n],
    ["-12", -12n],
    ["+7", 7n],
    ["0x1F", 31n],
    ["0b101", 5n],
    ["0o17", 15n],
    ["017", 15n],
    ["1_000", 1000n],
    ["9223372036854775807", 2n ** 63n - 1n],
    ["-9223372036854775808", -(2n ** 63n)],
  ],
  ["", "foo", "1.0", "1e3", "0x", "08", "0b2", "9223372036854775808", "1__0", "_1", " 1", "ff"],
);

parser(
  "parseGoBool",
  parseGoBool,
  [
    ["true", true],
    ["T", true],
    ["1", true],
    ["0", false],
    ["False", false],
  ],
  ["", "yes", "on", "tRUE"],
);

parser(
  "parseLogLevel",
  parseLogLevel,
  [
    ["info", "info"],
    ["WARNING", "warn"],
    ["panic", "fatal"],
  ],
  ["", "loud", "__proto__"],
);

describe("capabilities", () => {
  it("are known with and without prefix, in any case", () => {
    assert.equal(capabilityOf("net_raw"), "CAP_NET_RAW");
    assert.equal(capabilitiesProblem(["CAP_SYS_ADMIN", "kill"]), undefined);
    assert.match(capabilitiesProblem(["KILL", "FLY"]) ?? "", /FLY/);
  });
});

describe("timezoneProblem", () => {
  it("accepts none, UTC and the host's own", async () => {
    for (const name of ["", "UTC", "local", "Local"]) assert.equal(await timezoneProblem(name), undefined);
  });
  it("refuses unknown zones and ways out of the zone directory", async () => {
    for (const name of ["Moon/Sea", "../../etc/passwd", "/etc/localtime", "a\0b"]) {
      assert.match((await timezoneProblem(name)) ?? "", /invalid timezone/);
    }
  });
});

describe("suggestion", () => {
  it("finds the key that was meant", () => {
    assert.equal(suggestion("pid_limit", ["pids_limit", "read_only"]), "pids_limit");
    assert.equal(suggestion("lsiten", ["listen", "log_dir"]), "listen");
  });
  it("is silent when nothing is close", () => assert.equal(suggestion("xyz", ["listen"]), undefined));
});
