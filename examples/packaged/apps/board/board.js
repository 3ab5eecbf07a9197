// A page: asks the Python app, which a person is asked to allow the first time.
const answer = document.querySelector('output');

document.querySelector('button').addEventListener('click', async () => {
  answer.textContent = 'asking';
  try {
    const { payload } = await deskbus.request('statistics.summary', [1, 2, 3, 4]);
    answer.textContent = `mean ${payload.mean}, by numpy ${payload.numpy}`;
  } catch (error) {
    answer.textContent = error.message;
  }
});
