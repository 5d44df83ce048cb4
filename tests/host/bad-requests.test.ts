/** Requests with missing, malformed and hostile fields: refused in CRI-O's words, with nothing left behind. */
import { mkdir, writeFile } from "node:fs/promises";
import { after, before, describe } from "node:test";
import { openScene, type Scene } from "./bad-input/scene.ts";
import { confinement } from "./bad-requests/confinement.ts";
import { containerFields } from "./bad-requests/container-fields.ts";
import { hostilePaths } from "./bad-requests/hostile-paths.ts";
import { hostileSysctls } from "./bad-requests/hostile-sysctls.ts";
import { hostileText } from "./bad-requests/hostile-text.ts";
import { hostileUsers } from "./bad-requests/hostile-users.ts";
import { lookUps } from "./bad-requests/lookups.ts";
import { podFields } from "./bad-requests/pod-fields.ts";
import { wrongState } from "./bad-requests/wrong-state.ts";

/** One whose pods may carry the annotations that crio parses, and one of a runtime that says nothing of its features. */
const handlers = `
[crio.runtime.runtimes.allowing]
runtime_path = "/usr/bin/crun"
runtime_root = "/run/crun"
monitor_cgroup = "pod"
allowed_annotations = ["shm-size.crio.io", "io.kubernetes.cri-o.ShmSize", "umask.crio.io"]

[crio.runtime.runtimes.featureless]
runtime_path = "/run/bad-input/featureless"
runtime_root = "/run/crun"
monitor_cgroup = "pod"
`;

/** crun as it was before it could tell its features. */
const featureless = `#!/bin/sh
[ "$1" != features ] || exit 1
exec /usr/bin/crun "$@"
`;

/** A network that costs nothing: these pods talk to nobody. */
const plugin = `#!/bin/sh
[ "$CNI_COMMAND" != VERSION ] || { echo '{"cniVersion":"1.0.0","supportedVersions":["1.0.0"]}'; exit; }
[ "$CNI_COMMAND" = ADD ] || exit 0
echo '{"cniVersion":"1.0.0","interfaces":[{"name":"eth0","sandbox":"'"$CNI_NETNS"'"}],"ips":[{"address":"10.9.9.2/24","interface":0}]}'
`;

describe("bad requests", () => {
  let scene: Scene | undefined;
  before(async () => {
    await mkdir("/run/bad-input", { recursive: true });
    await writeFile("/run/bad-input/featureless", featureless, { mode: 0o755 });
    await mkdir("/run/bad-input/plugins", { recursive: true });
    await writeFile("/run/bad-input/plugins/nothing", plugin, { mode: 0o755 });
    scene = await openScene({
      cni: { cniVersion: "1.0.0", name: "test-net", plugins: [{ type: "nothing", capabilities: { bandwidth: true } }] },
      pluginDirs: ["/run/bad-input/plugins"],
      config: handlers,
      flags: ["--absent-mount-sources-to-reject", "/run/bad-input/absent"],
    });
  });
  after(() => scene?.[Symbol.asyncDispose]());
  const open = (): Scene => {
    if (scene === undefined) throw new Error("the daemon did not start");
    return scene;
  };

  podFields(open);
  containerFields(open);
  lookUps(open);
  wrongState(open);
  hostileSysctls(open);
  hostileText(open);
  hostileUsers(open);
  hostilePaths(open);
  confinement(open);
});
