import type { ControlOverview } from '../../generated/protocol';
import { CallError } from '../backend/api';
import type { Operator } from '../backend/transport';
import { add, fill, h, setText } from '../dom';
import { duration } from '../format';
import { icon } from '../icons';
import type { Context } from '../pages/page';
import { text } from '../../renderer/language';

/** Says in a browser how far it may go, and asks a person for the code by which it may act. */
export class OperatorButton {
  readonly element = h('button', { type: 'button', id: 'operator' });
  private readonly label = h('span', {}, text('page.control.operator.looks'));

  constructor(
    private readonly operator: Operator,
    private readonly context: Pick<Context, 'ask' | 'tell'>,
    private readonly changed: () => void,
  ) {
    add(this.element, icon('lock'), this.label);
    this.element.addEventListener('click', () => void this.ask());
  }

  draw({ acts, actsUntil, now }: ControlOverview): void {
    this.element.classList.toggle('acts', acts);
    const left = acts && actsUntil !== undefined ? Math.max(0, actsUntil - now) : 0;
    setText(
      this.label,
      acts
        ? text('page.control.operator.acts', { time: duration(left) })
        : text('page.control.operator.looks'),
    );
  }

  private async ask(): Promise<void> {
    const code = await this.context.ask({
      title: text('page.control.operator.title'),
      text: text('page.control.operator.text'),
      command: `deskbus control-centre --act ${this.operator.browser}`,
      secret: text('page.control.operator.code'),
      isPlain: true,
      label: text('page.control.operator.act'),
    });
    if (code === undefined) return;
    const answer = await this.operator.stepUp(code);
    if ('error' in answer) {
      const { message, action } = new CallError(answer.error);
      this.context.tell(`${message} ${action}`.trim(), false);
      return;
    }
    const time = duration(Number(answer.result));
    this.context.tell(text('page.control.operator.done', { time }), true);
    this.changed();
  }
}

/** The page of a browser that is not let in. */
export function shutOut(): HTMLElement {
  const main = h('main', { id: 'shut-out' });
  fill(
    main,
    h('h1', {}, text('page.control.shut-out')),
    h('p', {}, text('page.control.shut-out.text')),
    h('code', { class: 'command-line' }, 'deskbus control-centre --browser'),
  );
  return main;
}
