/** The code of the relabelling worker thread: see `relabel.ts`. */
import { relabelTree } from "./relabel-tree.ts";
import { unshareFs } from "./syscalls.ts";
import { serveRequests } from "./worker-port.ts";

unshareFs(); // the walk changes its working directory, which is otherwise everybody's

serveRequests(({ path, label }: { readonly path: string; readonly label: string }) => relabelTree(path, label));
