"""The words of the frame: header, library, status bar, states, faults at the edge."""

# key: (English, Japanese). Braces are filled by `text.say`; a widget's text has none.
WORDS = {
    "tab.corpus": ("Corpus", "テキスト"),
    "tab.train": ("Train", "学習"),
    "tab.generate": ("Generate", "生成"),
    "tab.share": ("Share", "共有"),
    "library.title": ("Library", "ライブラリ"),
    "library.new": ("New run", "新しい学習"),
    "library.empty": (
        "Every model you train appears here, and stays.",
        "学習したモデルはここに並び、消えずに残ります。",
    ),
    "library.best_at": ("best at {step}", "最良 {step}"),
    "library.bits": ("Best bits per byte on unseen text", "未見テキストでの最良のビット/バイト"),
    "header.library": ("Show or hide the library", "ライブラリの表示を切り替える"),
    "header.dark": ("Light or dark", "明るい画面・暗い画面"),
    "status.idle": ("Nothing is running", "実行中の学習はありません"),
    "status.memory": ("memory {used} of {total} GB", "メモリ {used} / {total} GB"),
    "status.step": ("step {step}", "ステップ {step}"),
    "status.step_of": ("step {step} / {steps}", "ステップ {step} / {steps}"),
    "status.left": ("{time} left", "残り {time}"),
    "status.more": ("and {n} more", "ほか {n} 件"),
    "state.starting": ("starting", "準備中"),
    "state.running": ("training", "学習中"),
    "state.finished": ("finished", "完了"),
    "state.stopped": ("stopped", "停止"),
    "state.failed": ("failed", "失敗"),
    "state.dead": ("interrupted", "中断"),
    "error.empty_setting": (
        "{label} is empty; use for example {default}",
        "「{label}」が空です。たとえば {default} にしてください",
    ),
}
