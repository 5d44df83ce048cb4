import type { RuntimeName } from "../support/daemon/index.ts";

/** A spec of critest that does not pass today, and why. What is not listed must pass. */
export interface Expectation {
  /** The spec's whole name, as critest reports it. */
  readonly spec: string;
  readonly is: "fails" | "skips";
  readonly why: string;
  /** Default: both. */
  readonly runtime?: RuntimeName;
  /** In a throw-away node, or in the virtual machine. Default: both. */
  readonly place?: "node" | "vm";
}

const appArmor = "[k8s.io] AppArmor runtime should";
const userNamespaces = [
  "needed runtime should support NamespaceMode_POD",
  "not needed runtime should support NamespaceMode_NODE",
  "not needed runtime should fail if more than one mapping provided",
  "not needed runtime should fail if container ID 0 is not mapped",
  "not needed runtime should fail with NamespaceMode_CONTAINER",
  "not needed runtime should fail with NamespaceMode_TARGET",
].map((words) => `[k8s.io] Security Context UserNamespaces when Host idmap mount support is ${words}`);

/** The list. A spec that passes although it is listed fails the test: take it off. */
export const expected: readonly Expectation[] = [
  ...userNamespaces.map(
    skipped("Debian 13's runc 1.1 cannot mount with mapped ids (`runc features` has no idmap)", { runtime: "runc" }),
  ),
  ...[
    `${appArmor} support deprecated apparmor_profile field should fail with an unloaded apparmor_profile`,
    `${appArmor} support deprecated apparmor_profile field should enforce a apparmor_profile blocking writes`,
    `${appArmor} support deprecated apparmor_profile field should enforce a permissive deprecated profile`,
    `${appArmor} support apparmor field should fail with an unloaded apparmor_profile`,
    `${appArmor} support apparmor field should enforce a apparmor_profile blocking writes`,
    `${appArmor} support apparmor field should enforce a permissive deprecated profile`,
    `${appArmor} prefer new apparmor field should fail with an unloaded apparmor_profile`,
    `${appArmor} prefer new apparmor field should enforce a apparmor_profile blocking writes`,
    `${appArmor} prefer new apparmor field should work with apparmor profile`,
  ].map(skipped("needs AppArmor: the virtual machine has it", { place: "node" })),
  ...[
    "[k8s.io] Container benchmark about operations on Container benchmark about basic operations on Container",
    "[k8s.io] Image benchmark about operations on Image benchmark about basic operations on Image",
    "[k8s.io] Image benchmark about operations on Image benchmark about listing Image",
    "[k8s.io] PodSandbox benchmark about operations on PodSandbox benchmark about lifecycle of PodSandbox",
    "[k8s.io] PodSandbox benchmark about start a container from scratch benchmark about start a container from scratch",
  ].map(skipped("a benchmark: critest leaves it out")),
];

function skipped(why: string, where: Pick<Expectation, "runtime" | "place"> = {}): (spec: string) => Expectation {
  return (spec) => ({ spec, is: "skips", why, ...where });
}
