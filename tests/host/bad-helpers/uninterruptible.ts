/** A process in state D: it has called clone as vfork does, and waits for a child that only sleeps. It ends with the file that is given. */
import { spawn } from "node:child_process";
import { libc } from "../../../src/host/libc.ts";

const CLONE_VM = 0x100;
const CLONE_VFORK = 0x4000;
const SIGCHLD = 17;
const stackSize = 1 << 16;
const [MAP_PRIVATE_ANONYMOUS, PROT_READ_WRITE] = [0x22, 3];

const [, , path = ""] = process.argv;
// Only its child's end lets it go on; the shell that waits for the file is a child too.
const children = `/proc/${process.pid}/task/${process.pid}/children`;
const end = `while [ -e ${path} ]; do sleep 0.05; done; for pid in $(cat ${children}); do [ $pid = $$ ] || kill -9 $pid; done`;
spawn("sh", ["-c", end], { stdio: "ignore" }).unref();
const stack = libc().mmap(null, stackSize, PROT_READ_WRITE, MAP_PRIVATE_ANONYMOUS, -1, 0);
libc().clone(libc().symbol("pause"), stack + BigInt(stackSize - 16), CLONE_VM | CLONE_VFORK | SIGCHLD, null);
