export { requireTrusted, type SignedImage } from "./check.ts";
export { configuredPolicy, loadPolicy, type PolicyPlaces } from "./load-policy.ts";
export { parsePolicy, type SignaturePolicy } from "./policy.ts";
export { isSignatureRefusal, SignatureRefusal, signatureRefused } from "./refusal.ts";
