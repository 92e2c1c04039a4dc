/** The files of functions/: each exports a `handler`. */
export const functionNames = ['invoke', 'diagnose', 'certificate', 'health', 'rotate', 'expiry'] as const;
export type FunctionName = (typeof functionNames)[number];
