/** The conformance suite of cri-tools with systemd, pure cgroup v2 and AppArmor, in the virtual machine. */
import { describeCritest } from "./suite.ts";

describeCritest({ runtime: "crun", place: "vm" });
