// A page: shows each temperature that is published, and asks another app to convert it.
const reading = document.querySelector('output');

async function show({ payload: celsius }) {
  reading.textContent = `${celsius} °C`;
  const answer = await deskbus.request('convert.fahrenheit', celsius);
  reading.textContent += ` · ${answer.payload} °F`;
}

deskbus.subscribe('weather.temperature', show);
