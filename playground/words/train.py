"""The words of the Train tab; those of what lives there stand in `live`."""

# key: (English, Japanese). Braces are filled by `text.say`; a widget's text has none.
WORDS = {
    "train.name": ("Name of the run", "学習の名前"),
    "train.name_info": ("Left empty, it is made from text and recipe.", "空のままなら、テキストとレシピから作ります。"),
    "train.corpus": ("Text", "テキスト"),
    "train.corpus_size": ("{n} {n:character|characters}", "{n} 文字"),
    "train.no_corpus": (
        "There is no text yet; read one on the Corpus tab first.",
        "テキストがまだありません。先に「テキスト」タブで読み込んでください。",
    ),
    "train.go": ("Train", "学習をはじめる"),
    "train.stop": ("Stop and keep the best", "停止して最良を残す"),
    "train.resume": ("Resume", "続きから再開"),
    "train.settings": ("All settings", "すべての設定"),
    "train.log": ("Log", "ログ"),
    "train.validation": ("validation, nats", "検証損失 (nat)"),
    "train.bits": ("bits per byte", "ビット/バイト"),
    "train.speed": ("tokens / s", "トークン/秒"),
    "train.left": ("left", "残り"),
    "train.took": ("took", "所要時間"),
    "train.say.new": (
        "Press Train: the curve begins to fall within seconds, and the first words appear within a minute.",
        "「学習をはじめる」を押すと、数秒で曲線が下がりはじめ、1分ほどで最初の言葉が現れます。",
    ),
    "train.say.starting": (
        "Getting ready: the text is being cut into tokens and the model is being built.",
        "準備中です。テキストをトークンに切り、モデルを組み立てています。",
    ),
    "train.say.running": (
        "Blue is the text it learns from, red the text it has never seen. While red falls, it is learning to write.",
        "青は学習中のテキスト、赤は一度も見せていないテキストです。赤が下がるあいだは、書く力が育っています。",
    ),
    "train.say.finished": (
        "Done. The best model, of step {step}, waits on the Generate tab.",
        "完了しました。最良のモデル(ステップ {step})は「生成」タブで使えます。",
    ),
    "train.say.finished_bare": (
        "Done. The model waits on the Generate tab.",
        "完了しました。モデルは「生成」タブで使えます。",
    ),
    "train.write": ("Write with it", "このモデルで書く"),
    "train.say.stopped": (
        "Stopped; everything is saved. Resume goes on exactly where it ended.",
        "停止しました。すべて保存されています。「続きから再開」で同じ所から続けられます。",
    ),
    "train.say.stopping": (
        "Stopping: it finishes its step and saves.",
        "停止しています。今のステップを終えて保存します。",
    ),
    "train.say.dead": (
        "Its process is gone. Resume goes on from the last save.",
        "プロセスが途中で終わりました。「続きから再開」で最後の保存から続けられます。",
    ),
    "train.say.failed": ("It could not go on.", "続けられませんでした。"),
}
