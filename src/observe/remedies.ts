import type { Step } from "../base/index.ts";
import type { WaitingProcess } from "./processes.ts";
import { pathOf } from "./waits.ts";

/** What an operator can do about a wait; "" where waiting is all there is. */
export function remedyFor(step: Step, process: WaitingProcess | undefined): string {
  if (process?.isFrozen === true) {
    return "its cgroup is frozen: find who froze it (crictl, the freezer of the cgroup), and thaw it";
  }
  if (process?.state === "T" || process?.state === "t") return `the process is stopped: kill -CONT ${process.pid}`;
  if (process?.state === "D") {
    return `it hangs in the kernel, in most cases on a file system or device that does not answer: see /proc/${process.pid}/stack, dmesg, and the mounts it uses`;
  }
  return byKind(step);
}

function byKind(step: Step): string {
  const { waitsFor } = step;
  switch (waitsFor?.is) {
    case undefined:
    case "work":
      return "";
    case "program":
      return programRemedy(pathOf(step).join(" "), waitsFor.command);
    case "process":
      if (/command/.test(waitsFor.what))
        return "the command has not ended: see what it does (ps in the container); a timeout ends it";
      return "the container heeds its stop signal late or not at all: see what it does (crictl logs, crictl exec), or wait for SIGKILL";
    case "lock": {
      const holder = waitsFor.holder();
      if (holder.is === "process")
        return `another program works on this store: let process ${holder.pid} finish, or end it`;
      return "see what the one that holds it waits for";
    }
    case "server":
      return serverRemedy(waitsFor.url);
    case "path":
      return "a host path does not answer: look for a dead network or FUSE mount (mount, ls of the path in another shell), and unmount it (umount -f, umount -l)";
    case "condition":
      return "install or start the network provider: its configuration belongs into network_dir";
  }
}

function programRemedy(stages: string, command: string): string {
  if (/CNI plugin/.test(stages))
    return "the CNI plugin does not answer: see its own log, and what it talks to (its daemon, its IPAM)";
  if (/conmon/.test(command))
    return "see the process named last: the OCI runtime below conmon, or conmon itself; its words are in the journal";
  if (/ (create|start|kill|delete|state|update|pause|resume|exec) /.test(` ${command} `)) {
    return "the OCI runtime does not end: see what its process does (strace -p, /proc/PID/stack); ending it makes the call fail and be tried again";
  }
  if (/ get$/.test(command))
    return "the credential helper does not answer: run it by hand, or take it out of registries.conf";
  if (/nft|iptables|conntrack/.test(command))
    return "the firewall's tool does not end: see whether another program holds its lock";
  return "see what the program does (strace -p, /proc/PID/stack); ending it makes the call fail and be tried again";
}

function serverRemedy(url: string): string {
  if (url.startsWith("systemd")) return "systemd does not answer: systemctl status, journalctl -b -p warning";
  return `the registry, or what is between it and this node, does not answer: try curl -v ${url.replace(/\?.*$/, "")}; mirrors and proxies are in registries.conf and the daemon's environment`;
}
