import type { WebContents } from 'electron';

type Told = (app: string, pids: number[]) => void;

/** Knows which processes render the windows of which app, and tells when that changes. */
export class WindowProcesses {
  private readonly contents = new Map<WebContents, string>();
  private readonly known = new Map<string, string>();

  constructor(private readonly tell: Told) {}

  watch(app: string, contents: WebContents): void {
    this.contents.set(contents, app);
    const look = (): void => this.look(app);
    // A frame of another site has a process of its own, and a navigation may bring a new one.
    contents.on('did-start-navigation', look);
    contents.on('did-frame-navigate', look);
    contents.on('did-finish-load', look);
    contents.on('render-process-gone', look);
    contents.on('crashed' as 'render-process-gone', look);
    contents.once('destroyed', () => {
      this.contents.delete(contents);
      this.look(app);
    });
    this.look(app);
  }

  /** The backend is another one: it knows nothing yet. */
  tellAll(): void {
    this.known.clear();
    for (const app of new Set(this.contents.values())) this.look(app);
  }

  private look(app: string): void {
    const pids = new Set<number>();
    for (const [contents, owner] of this.contents) {
      if (owner === app && !contents.isDestroyed())
        for (const pid of pidsOf(contents)) pids.add(pid);
    }
    const sorted = [...pids].sort((one, other) => one - other);
    const key = sorted.join();
    if ((this.known.get(app) ?? '') === key) return;
    this.known.set(app, key);
    this.tell(app, sorted);
  }
}

function pidsOf(contents: WebContents): number[] {
  // Before Electron 12 there is no list of frames.
  const since12: Partial<Pick<WebContents, 'mainFrame'>> = contents;
  const frames = since12.mainFrame?.framesInSubtree.map(({ osProcessId }) => osProcessId) ?? [];
  return [contents.getOSProcessId(), ...frames].filter((pid) => pid > 0);
}
