/** The conformance suite of cri-tools with runc. In a file of its own, so that it gets a node of its own beside the other runtime's. */
import { describeCritest } from "./suite.ts";

describeCritest({ runtime: "runc", place: "node" });
