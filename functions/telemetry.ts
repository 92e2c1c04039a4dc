// Where the log lines of the functions go.
import { standardOutput, type Telemetry } from '../core/telemetry/telemetry.ts';

/**
 * Standard output, which Lambda sends to CloudWatch Logs. The local cloud replaces `write` before it loads a function.
 */
export const telemetry: Telemetry = { ...standardOutput };
