"""The words of the Generate tab and of fetching a model."""

# key: (English, Japanese). Braces are filled by `text.say`; a widget's text has none.
WORDS = {
    "generate.checkpoint": ("Model", "モデル"),
    "generate.best": ("best", "最良"),
    "generate.last": ("last", "最新"),
    "generate.prompt": ("Beginning", "書き出し"),
    "generate.prompt_here": ("Write the first words; the model goes on.", "最初の言葉を書くと、モデルが続けます。"),
    "generate.go": ("Write", "書く"),
    "generate.stop": ("Stop", "止める"),
    "generate.more": ("More ways to steer", "さらに細かく"),
    "generate.empty": (
        "What the model writes appears here, letter by letter.",
        "モデルの書く文が、一文字ずつここに現れます。",
    ),
    "generate.no_model": (
        "There is no model yet; train one first: it is ready at its first measurement.",
        "モデルがまだありません。先に学習してください。最初の測定が済むと使えます。",
    ),
    "generate.unknown": (
        "This model has never seen {characters}: it reads an unknown sign instead.",
        "このモデルは {characters} を見たことがありません。未知の記号として読みます。",
    ),
    "generate.rate": (
        "{n} tokens · {rate} tokens / s · seed {seed}",
        "{n} トークン · {rate} トークン/秒 · シード {seed}",
    ),
    "generate.sample": ("Sample {n}", "{n} 本目"),
    "fetch.title": ("From the Hub or a folder", "Hub やフォルダから"),
    "fetch.source": ("Repository, link or folder", "リポジトリ・リンク・フォルダ"),
    "fetch.source_space": ("Repository or link", "リポジトリ・リンク"),
    "fetch.info": (
        "A model of this program, or a small GPT-2 of transformers. Only safetensors are read, never a pickle.",
        "このプログラムのモデルか、transformers の小さな GPT-2。safetensors だけを読み、pickle は読みません。",
    ),
    "fetch.go": ("Fetch", "取り込む"),
    "fetch.arrived": (
        "It is here and chosen above: press Write.",
        "取り込みました。上で選んであります。「書く」を押してください。",
    ),
    "fetch.no_source": (
        "Nothing is named; write for example alice/tales, or paste a link to the Hub.",
        "何も書かれていません。たとえば alice/tales と書くか、Hub のリンクを貼ってください。",
    ),
    "fetch.no_folder": (
        "Folders of this machine are read only where the app is yours; name a repository on the Hub instead.",
        "Space ではフォルダを読めません。Hub のリポジトリ名を書いてください。",
    ),
}
