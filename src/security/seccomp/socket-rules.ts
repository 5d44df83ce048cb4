import { constants } from "node:os";
import type { LinuxSeccompArgument } from "../../oci/index.ts";
import type { RuleCondition, SeccompRule } from "./profile.ts";
import { allow, masked, refuse } from "./rule.ts";

const { EINVAL } = constants.errno;

const AF_NETLINK = 16;
const AF_VSOCK = 40;
const NETLINK_AUDIT = 9;
/** Families and netlink protocols end before this; the kernel answers for what is beyond. */
const lastFamily = 63;
const lastNetlinkProtocol = 31;

/**
 * Any socket but AF_VSOCK, which leads to the hypervisor, and the audit netlink, which takes CAP_AUDIT_WRITE (EINVAL: audit's
 * library takes that for a kernel without audit). The kernel looks at the low 32 bits of these arguments alone, so a comparison
 * of all 64 could be walked around: ranges are written as aligned blocks under a mask.
 */
export function socketRules(): readonly SeccompRule[] {
  const audit: RuleCondition = { capabilities: ["CAP_AUDIT_WRITE"] };
  const netlink = low32(0, AF_NETLINK);
  return [
    refuse(["socket"], { args: [low32(0, AF_VSOCK)] }),
    ...alignedBlocks(lastFamily, [AF_NETLINK, AF_VSOCK]).map((block) =>
      allow(["socket"], { args: [low32(0, ...block)] }),
    ),
    allow(["socket"], { args: [netlink], includes: audit }),
    {
      names: ["socket"],
      action: "SCMP_ACT_ERRNO",
      errno: EINVAL,
      args: [netlink, low32(2, NETLINK_AUDIT)],
      excludes: audit,
    },
    ...alignedBlocks(lastNetlinkProtocol, [NETLINK_AUDIT]).map((block) =>
      allow(["socket"], { args: [netlink, low32(2, ...block)], excludes: audit }),
    ),
  ];
}

type Block = readonly [start: number, size: number];

/** The numbers 0 to `last` without `holes`, as the fewest blocks that one masked comparison can tell. */
function alignedBlocks(last: number, holes: readonly number[]): readonly Block[] {
  const split = ([start, size]: Block): readonly Block[] => {
    const inside = holes.filter((hole) => hole >= start && hole < start + size).length;
    if (inside === 0) return [[start, size]];
    return inside === size ? [] : [...split([start, size / 2]), ...split([start + size / 2, size / 2])];
  };
  return split([0, last + 1]);
}

function low32(index: number, start: number, size = 1): LinuxSeccompArgument {
  return masked(index, 0xffff_ffffn - BigInt(size - 1), BigInt(start));
}
