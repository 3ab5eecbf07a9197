import type { ControlAppResult } from '../../../generated/protocol';
import { Sparkline } from '../../charts/sparkline';
import { add, h, setText } from '../../dom';
import { memory, NOTHING, percent } from '../../format';

type Process = ControlAppResult['processes'][number];

/** Two minutes of looks. */
const KEPT = 60;

/** The course of one process while somebody looks at its app. */
class ProcessCourse {
  private readonly cpu: number[] = [];
  private readonly memory: number[] = [];
  private readonly cpuLine = new Sparkline('c1');
  private readonly memoryLine = new Sparkline('c4');
  private readonly cpuWords = h('span');
  private readonly memoryWords = h('span');
  private usedMs: number | undefined;
  private lookedMs = 0;

  take({ cpu, memoryBytes }: Process, nowMs: number): void {
    const elapsedMs = nowMs - this.lookedMs;
    if (this.usedMs !== undefined && elapsedMs > 0) {
      keep(this.cpu, Math.max(0, ((cpu - this.usedMs) / elapsedMs) * 100));
    }
    keep(this.memory, memoryBytes);
    this.usedMs = cpu;
    this.lookedMs = nowMs;
  }

  /** Draws into two cells, against the limits of the app, which its processes share. */
  show(
    cpu: Element,
    size: Element,
    cpuLimit: number | undefined,
    memoryLimit: number | undefined,
  ): void {
    if (this.cpuLine.element.parentElement !== cpu) {
      add(cpu, this.cpuLine.element, this.cpuWords);
      add(size, this.memoryLine.element, this.memoryWords);
    }
    const [used, taken] = [this.cpu[this.cpu.length - 1], this.memory[this.memory.length - 1]];
    setText(this.cpuWords, used === undefined ? NOTHING : percent(used));
    setText(this.memoryWords, taken === undefined ? NOTHING : memory(taken));
    this.cpuLine.draw(atTheEnd(this.cpu), cpuLimit, 10);
    this.memoryLine.draw(atTheEnd(this.memory), memoryLimit);
  }
}

/** The courses of one app's processes; another app's begin anew. */
export class ProcessCourses {
  private app = '';
  private courses = new Map<number, ProcessCourse>();

  take(app: string, processes: readonly Process[]): void {
    const before = app === this.app ? this.courses : new Map<number, ProcessCourse>();
    this.app = app;
    this.courses = new Map(
      processes.map(({ pid }) => [pid, before.get(pid) ?? new ProcessCourse()]),
    );
    const nowMs = performance.now();
    for (const process of processes) this.of(process).take(process, nowMs);
  }

  of({ pid }: Process): ProcessCourse {
    const known = this.courses.get(pid);
    if (known) return known;
    const made = new ProcessCourse();
    this.courses.set(pid, made);
    return made;
  }
}

function keep(column: number[], value: number): void {
  column.push(value);
  if (column.length > KEPT) column.shift();
}

/** The newest samples stand where a line ends, however few there are. */
function atTheEnd(column: readonly number[]): (number | null)[] {
  return [...Array.from({ length: KEPT - column.length }, () => null), ...column];
}
