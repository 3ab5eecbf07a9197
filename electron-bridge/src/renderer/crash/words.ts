import type { CrashPage } from '../../generated/protocol';
import { language, text } from '../language';

export interface Words {
  headline: string;
  explanation: string;
}

/** The cause of a crash, in words for the person in front of it. */
export function wordsOf(page: CrashPage): Words {
  const { name, cause } = page;
  const others = text(cause === 'renderer' ? 'page.crash.nothing-else' : 'page.crash.others');
  return {
    headline: text(`page.crash.headline.${cause}`, { name }),
    explanation: `${why(page)} ${others}`,
  };
}

function why({ cause, exitCode, signal = '', detail = '' }: CrashPage): string {
  if (detail !== '') return detail;
  if (cause === 'exit' && exitCode !== undefined) {
    return text('page.crash.why.exit-code', { code: String(exitCode) });
  }
  const known = `page.crash.why.${signal}`;
  if (cause === 'signal' && language.has(known)) return text(known);
  return text(`page.crash.why.${cause}`);
}

/** 3 s, 12 min, 5 h 20 min. */
export function duration(ms: number): string {
  const seconds = Math.round(ms / 1000);
  if (ms < 1000) return text('page.unit.ms', { count: Math.max(1, Math.round(ms)) });
  if (seconds < 120) return text('page.unit.s', { count: seconds });
  const minutes = Math.round(seconds / 60);
  if (minutes < 120) return text('page.unit.min', { count: minutes });
  return text('page.unit.h', { hours: Math.floor(minutes / 60), minutes: minutes % 60 });
}

export function bytes(count: number): string {
  const mb = count / (1024 * 1024);
  if (mb < 10_000) return text('page.unit.mb', { size: language.number(mb, mb < 10 ? 1 : 0) });
  return text('page.unit.gb', { size: language.number(mb / 1024, 1) });
}
