import type { ControlAppResult, Crash } from '../../../generated/protocol';
import { fill, h, keyed, setAttribute, setText } from '../../dom';
import { duration, memory, NOTHING, number, percent, time } from '../../format';
import { crashWords, troubleOf } from '../../phrases';
import { asTree } from '../../tree';
import { facts } from '../../widgets/facts';
import { text } from '../../../renderer/language';
import { countOf, cpuOf, megabytes, type AppRow } from './app-row';
import { ProcessCourses } from './process-courses';

/** An app in the drawer. */
export class AppDetails {
  readonly element: HTMLElement;
  private readonly figures = h('div');
  private readonly tree = h('ul', { class: 'process-tree' });
  private readonly away = h('p', { class: 'quiet' }, text('page.control.apps.no-processes'));
  private readonly log = h('pre', {
    class: 'log',
    tabindex: '0',
    'aria-label': text('page.control.apps.log'),
  });
  private readonly courses = new ProcessCourses();
  private readonly crashes = h('ol', { class: 'crashes' });

  constructor() {
    this.element = h(
      'div',
      { class: 'inspector' },
      this.figures,
      h('h3', { class: 'section' }, text('page.control.apps.tree')),
      this.tree,
      this.away,
      h('h3', { class: 'section' }, text('page.control.apps.log')),
      this.log,
      h('h3', { class: 'section' }, text('page.control.apps.crashes')),
      this.crashes,
    );
  }

  draw(found: ControlAppResult, row: AppRow): void {
    fill(this.figures, factsOf(row));
    const limits = row.stats?.limits ?? {};
    this.courses.take(row.status.app, found.processes);
    keyed(
      this.tree,
      asTree(
        found.processes,
        ({ pid }) => pid,
        ({ parent }) => parent,
      ),
      ({ item }) => String(item.pid),
      () =>
        h(
          'li',
          {},
          h('span', { class: 'process-name', dir: 'auto' }),
          h('span', { class: 'quiet mono' }),
          h('span', { class: 'end process-cpu' }),
          h('span', { class: 'end process-memory' }),
        ),
      (element, { item: process, depth }) => {
        const [name, pid, cpu, size] = element.children;
        if (!name || !pid || !size || !cpu) return;
        element.style.setProperty('--depth', String(depth));
        setText(
          name,
          process.window ? `${process.name} (${text('page.control.apps.window')})` : process.name,
        );
        setText(pid, String(process.pid));
        const course = this.courses.of(process);
        course.show(cpu, size, limits.cpu_percent, megabytes(limits.memory_mb));
        setAttribute(
          cpu,
          'title',
          text('page.control.apps.cpu-time', { time: duration(process.cpu) }),
        );
      },
    );
    this.away.hidden = found.processes.length > 0;
    const atEnd = this.log.scrollTop + this.log.clientHeight >= this.log.scrollHeight - 4;
    setText(
      this.log,
      found.log.length > 0 ? found.log.join('\n') : text('page.control.apps.no-log'),
    );
    if (atEnd) this.log.scrollTop = this.log.scrollHeight;
    if (found.crashes.length === 0) {
      fill(this.crashes, h('li', { class: 'quiet' }, text('page.control.apps.no-crashes')));
    } else {
      fill(this.crashes, ...found.crashes.map(crashOf));
    }
  }
}

function crashOf(crash: Crash): HTMLElement {
  const how = [
    crash.signal,
    crash.exitCode === undefined
      ? undefined
      : text('page.control.apps.exit', { code: crash.exitCode }),
    text('page.control.apps.after', { time: duration(crash.uptimeMs) }),
  ].filter((each) => each !== undefined);
  return h(
    'li',
    {},
    h('span', { class: 'quiet mono' }, time(crash.at)),
    h(
      'div',
      {},
      h('strong', {}, crashWords(crash)),
      h('span', { class: 'quiet' }, how.join(' · ')),
    ),
  );
}

function factsOf(row: AppRow): HTMLElement {
  const { status, stats } = row;
  const trouble = troubleOf(status);
  const sample = stats?.sample;
  const limits = stats?.limits ?? {};
  const against = (value: string, limit: string | undefined): string => {
    if (limit === undefined) return value;
    if (value === NOTHING) return text('page.control.apps.up-to', { limit });
    return text('page.control.apps.of', { value, limit });
  };
  const most = megabytes(limits.memory_mb);
  return facts([
    [
      text('page.control.apps.cpu'),
      against(
        sample ? percent(cpuOf(row)) : NOTHING,
        limits.cpu_percent === undefined ? undefined : percent(limits.cpu_percent),
      ),
    ],
    [
      text('page.control.apps.memory'),
      against(
        sample ? memory(sample.memoryBytes) : NOTHING,
        most === undefined ? undefined : memory(most),
      ),
    ],
    [
      text('page.control.apps.processes'),
      against(
        countOf(sample?.processes),
        limits.processes === undefined ? undefined : number(limits.processes),
      ),
    ],
    [
      text('page.control.limit.files'),
      against(
        countOf(stats?.openFiles),
        limits.open_files === undefined ? undefined : number(limits.open_files),
      ),
    ],
    [
      text('page.control.limit.messages'),
      limits.messages_per_s === undefined
        ? text('page.control.limit.none')
        : number(limits.messages_per_s),
    ],
    [text('page.control.apps.restarts'), number(status.restarts ?? 0)],
    ...(trouble === '' ? [] : [[text('page.control.apps.detail'), trouble] as const]),
  ]);
}
