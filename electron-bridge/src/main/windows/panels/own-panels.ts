import type { PanelContent, PanelQuery } from '../../../generated/protocol';
import { DeskbusError } from '../../../common/error';
import type { Backend } from '../../backend/backend';

/** A panel that the program around the shell adds. */
export interface OwnPanel {
  /** Lower-case letters and hyphens; by it the panel is opened. */
  name: string;
  /** Names it in the control centre's list. */
  title: string;
  /** The content as of now, for what a person looks for. */
  describe(query: PanelQuery): PanelContent | Promise<PanelContent>;
  /** Does what a person chose, and says in words what came of it. */
  act?(action: string, row: string | undefined): string | Promise<string>;
}

/** The panels that the program has added; the backend is told of them whenever it has started. */
export class OwnPanels {
  private readonly panels = new Map<string, OwnPanel>();

  constructor(private readonly backend: Backend) {
    backend.handle('ui.describePanel', async (params) => {
      const { name, query } = (params ?? {}) as { name?: string; query?: PanelQuery };
      return this.find(name).describe(query ?? {});
    });
    backend.handle('ui.actInPanel', async (params) => {
      const { name, action, row } = (params ?? {}) as Record<string, string | undefined>;
      return { message: (await this.find(name).act?.(action ?? '', row)) ?? '' };
    });
    backend.on('up', () => {
      for (const panel of this.panels.values()) this.register(panel).catch(() => undefined);
    });
  }

  has(name: string): boolean {
    return this.panels.has(name);
  }

  /** Rejects with `DeskbusError`: conflict where there is such a panel already. */
  async add(panel: OwnPanel): Promise<void> {
    this.panels.set(panel.name, panel);
    if (this.backend.state === 'up') await this.register(panel);
  }

  private async register({ name, title }: OwnPanel): Promise<void> {
    await this.backend.call('panels.register', { name, title });
  }

  private find(name: string | undefined): OwnPanel {
    const found = this.panels.get(name ?? '');
    if (!found) throw DeskbusError.of('not_found', 'There is no such panel.');
    return found;
  }
}
