// The page's one language, before Gradio asks for it: chosen by hand and kept in a cookie, which the server reads too, else
// the first of the browser's own that is spoken here, else English (`playground.text.language_of` says the same).
(() => {
  const spoken = ['en', 'ja'];
  const chosen = document.cookie.match(/(?:^|;\s*)lm-language=(en|ja)(?:;|$)/);
  const own = navigator.languages.map((name) => name.slice(0, 2).toLowerCase()).find((name) => spoken.includes(name));
  const language = chosen ? chosen[1] : own || 'en';
  document.documentElement.lang = language;
  // Gradio takes the words of widgets from what the browser says here, and from nothing else.
  Object.defineProperty(navigator, 'language', {configurable: true, get: () => language});
  // A Space stands in a frame of another site, where only a partitioned cookie is kept.
  const manners = location.protocol === 'https:' ? 'SameSite=None; Secure; Partitioned' : 'SameSite=Lax';
  window.lmSpeak = (wanted) => {
    document.cookie = `lm-language=${wanted}; path=/; max-age=31536000; ${manners}`;
    location.reload();
  };
})();
