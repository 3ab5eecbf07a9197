// A page that uses FDC3 alone: it runs under any desktop agent that gives pages `window.fdc3`.
const shown = document.querySelector('output');

function agent() {
  return new Promise((resolve) => {
    if (window.fdc3) resolve(window.fdc3);
    else window.addEventListener('fdc3Ready', () => resolve(window.fdc3), { once: true });
  });
}

async function main() {
  const fdc3 = await agent();
  const [channel] = await fdc3.getUserChannels();
  await fdc3.joinUserChannel(channel.id);
  await fdc3.addContextListener('fdc3.instrument', ({ id }, metadata) => {
    const { appId = 'another app' } = (metadata && metadata.source) || {};
    shown.textContent = `${id.ticker}, chosen in ${appId}`;
  });
  for (const button of document.querySelectorAll('button')) {
    button.addEventListener('click', () => {
      shown.textContent = `${button.value}, chosen here`;
      fdc3.broadcast({ type: 'fdc3.instrument', id: { ticker: button.value } });
    });
  }
}

main().catch(({ message }) => {
  shown.textContent = message;
});
