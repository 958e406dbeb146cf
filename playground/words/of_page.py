"""What the page itself says in English where no language is known, in Japanese: {English template: Japanese}."""

ROWS = {
    "there is no text named {name} here; read it again on the Corpus tab": (
        "{name} というテキストはありません。「テキスト」タブで読み込み直してください"
    ),
    "run {name} has no model yet; it gets one at its first measurement": (
        "{name} にはまだモデルがありません。最初の測定のときにできます"
    ),
    "the model {name} is no longer on this machine; fetch it again": (
        "モデル {name} はもうこの計算機にありません。取り込み直してください"
    ),
    "{name} is not the name of a run; choose one in the library": (
        "{name} は学習の名前ではありません。ライブラリから選んでください"
    ),
    "{name} is not a run in this library; choose one there": (
        "{name} はこのライブラリにありません。ライブラリから選んでください"
    ),
    "{name}={value} in the link is no number; use for example {example}": (
        "リンクの {name:label} = {value} は数ではありません。たとえば {example} にしてください"
    ),
    "another app serves the visitors of {folder} already; end it first, or choose another --runs-dir": (
        "{folder} の訪問者には、すでに別のアプリが応じています。先にそれを終えるか、別の --runs-dir を指定してください"
    ),
    "run {name} is in the queue already; it begins by itself": "{name} はもう順番待ちです。順番が来るとはじまります",
    "a spectator only looks": "見るだけのページです",
}
