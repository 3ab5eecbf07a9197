import { FILES_ORIGIN, MAX_REPORT_CHARACTERS, SHELL_REPORT_URL } from '../../generated/constants';
import type { Backend } from '../backend/backend';

/** Headers as Electron has them. */
export type Headers = Record<string, string[]>;

/** With this sample Electron's development build looks whether a page may `eval`. */
const ELECTRONS_OWN = /^eval\|\(function anonymous\(?\n\) \{\n\n\}\)?$/;

/** The security headers of one app's pages from the disk, and what their browser reports. */
export class PageHeaders {
  private known: Headers | undefined;

  constructor(
    private readonly app: string,
    private readonly backend: Backend,
  ) {}

  /** The backend's word; while it is away its last one. Rejects where there was none. */
  async forPage(): Promise<Headers> {
    try {
      const wish = { app: this.app, origin: FILES_ORIGIN };
      const { headers } = await this.backend.call('web.policyFor', wish);
      this.known = Object.fromEntries(
        Object.entries(headers).map(([name, value]) => [name, [value]]),
      );
    } catch (error) {
      if (!this.known) throw error;
    }
    return this.known;
  }

  /** Hands a browser's report on; one that can't be is lost. */
  report(body: string): void {
    if (body.length > MAX_REPORT_CHARACTERS || isElectronsOwn(body)) return;
    this.backend
      .call('web.reportViolation', { app: this.app, report: body })
      .catch(() => undefined);
  }
}

/** Whether a request is a browser's report of what the headers refused. */
export function isReport(url: string): boolean {
  return url === SHELL_REPORT_URL;
}

function isElectronsOwn(body: string): boolean {
  try {
    const { 'csp-report': report } = JSON.parse(body) as {
      'csp-report'?: { 'script-sample'?: string };
    };
    return ELECTRONS_OWN.test(report?.['script-sample'] ?? '');
  } catch {
    return false;
  }
}
