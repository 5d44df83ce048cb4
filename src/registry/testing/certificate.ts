import { type SelfSigned, selfSignedCertificate } from "../../host/index.ts";

/** A throw-away certificate. */
export type TestCertificate = SelfSigned;

/** Valid for an hour around now, for the given host names and IPv4 addresses. */
export function testCertificate(names: readonly string[]): TestCertificate {
  return selfSignedCertificate(names, 3_600_000);
}
