// The invocation request: what a caller asks for, parsed from the event of API Gateway, refused when it could be misread.

/** What Countersign sends is this, byte for byte. */
export interface InvocationRequest {
  readonly url: string;
  /** As the caller wrote it; methods are case-sensitive (RFC 9110, section 9.1). */
  readonly method: string;
  /** Name, value, name, value, … in the caller's order; no host, content-length or hop-by-hop header. */
  readonly headers: readonly string[];
  readonly body: Buffer | undefined;
  readonly timeoutMs: number;
  readonly requireMutual: boolean;
  /** False when the caller set accept-encoding: then the content encoding is handed back as it came. */
  readonly decodeContent: boolean;
}
