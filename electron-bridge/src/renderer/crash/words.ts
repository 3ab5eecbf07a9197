import type { CrashPage } from '../../generated/protocol';

export interface Words {
  headline: string;
  explanation: string;
}

/** The meaning of signals to a person. */
const SIGNALS: Record<string, string> = {
  SIGABRT: 'It gave up by itself, after an error that it could not handle',
  SIGBUS: 'It used memory in a way that is not possible',
  SIGFPE: 'It calculated something that has no result',
  SIGHUP: 'Its session was ended',
  SIGILL: 'It ran code that this processor does not know',
  SIGINT: 'It was interrupted',
  SIGKILL: 'It was killed from outside',
  SIGSEGV: 'It used memory that it does not have',
  SIGTERM: 'It was asked to end from outside',
};

/** The cause of a crash, in words for the person in front of it. */
export function wordsOf({ name, cause, exitCode, signal, detail }: CrashPage): Words {
  const why = detail === undefined || detail === '' ? '' : `${detail} `;
  const others = 'Other apps are not affected.';
  switch (cause) {
    case 'exit':
      return {
        headline: `${name} has stopped`,
        explanation: `${why || endedWith(exitCode)}${others}`,
      };
    case 'signal': {
      const known = signal === undefined ? undefined : SIGNALS[signal];
      return {
        headline: `${name} has crashed`,
        explanation: `${why || `${known ?? 'The system ended it'}. `}${others}`,
      };
    }
    case 'out_of_memory':
      return {
        headline: `${name} ran out of memory`,
        explanation: `${why || 'It needed more than it could get. '}${others}`,
      };
    case 'never_ready':
      return {
        headline: `${name} did not start`,
        explanation: `${why || 'It was not ready in time, so it was ended. '}${others}`,
      };
    case 'hung':
      return {
        headline: `${name} stopped responding`,
        explanation: `${why || 'It gave no sign of life for too long, so it was ended. '}${others}`,
      };
    case 'limit':
      return {
        headline: `${name} used more than it may`,
        explanation: `${why || 'It went over one of its limits, so it was ended. '}${others}`,
      };
    case 'renderer':
      return {
        headline: `This window of ${name} has crashed`,
        explanation: `${why || 'The process that draws it has ended. '}Nothing else is affected.`,
      };
  }
}

function endedWith(exitCode: number | undefined): string {
  if (exitCode === undefined) return 'It ended by itself, though nobody asked it to. ';
  return `It ended by itself, with exit code ${exitCode}, though nobody asked it to. `;
}

/** 3 s, 12 min, 5 h 20 min. */
export function duration(ms: number): string {
  const seconds = Math.round(ms / 1000);
  if (ms < 1000) return `${Math.max(1, Math.round(ms))} ms`;
  if (seconds < 120) return `${seconds} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 120) return `${minutes} min`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

export function bytes(count: number): string {
  const mb = count / (1024 * 1024);
  if (mb < 10) return `${mb.toFixed(1)} MB`;
  return mb < 10_000 ? `${mb.toFixed(0)} MB` : `${(mb / 1024).toFixed(1)} GB`;
}
