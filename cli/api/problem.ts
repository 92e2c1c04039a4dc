// Tells a problem document: its title, the step, the detail and what to do on stderr; as JSON the whole document.

import { escapeForTerminal } from '../../core/escape-for-terminal.ts';
import type { CommandContext } from '../context.ts';
import type { Problem } from './api.ts';

export function tellProblem(problem: Problem, { output }: CommandContext): void {
  const { code, title, step, detail, hint } = problem;
  const where = step === undefined ? '' : ` at step ${step}`;
  output.fail({
    code,
    // A line of its own each, whatever an API puts there.
    heading: escapeForTerminal(title === undefined ? `${code}${where}` : `${title} (${code}${where})`),
    detail: escapeForTerminal(detail),
    hint: hint && escapeForTerminal(hint),
    document: problem,
  });
}
