"""The words of the Compare tab."""

# key: (English, Japanese). Braces are filled by `text.say`; a widget's text has none.
WORDS = {
    "tab.compare": ("Compare", "比較"),
    "compare.pick": ("Runs to compare", "比べる学習"),
    "compare.empty": (
        "There is nothing to compare yet. Train twice with one setting changed, and see here what it did.",
        "まだ比べるものがありません。設定を一つ変えて二度学習すると、その違いがここで見えます。",
    ),
    "compare.none": ("Choose one run or more from the list.", "一覧から学習を一つ以上選んでください。"),
    "compare.say": (
        "Bits per byte of unseen text: lower is better, and it compares across tokenizers. Nats per token do not.",
        "未見テキストのビット/バイト。低いほど良く、トークナイザが違っても比べられます。nat/トークンでは比べられません。",
    ),
    "compare.best_bits": ("best bits per byte", "最良のビット/バイト"),
    "compare.best_nats": ("best loss, nats per token", "最良の損失 (nat/トークン)"),
    "compare.at_step": ("at step", "最良のステップ"),
    "compare.parameters": ("parameters", "パラメータ数"),
    "compare.same": ("All their settings are the same.", "設定はすべて同じです。"),
    "compare.branches": ("Branches", "枝分かれ"),
    "compare.from_step": ("from step {step}", "ステップ {step} から"),
    "compare.from_fresh": ("same text, fresh weights", "同じテキスト、新しい重み"),
    "compare.fork": ("### Branch off", "### 枝分かれさせる"),
    "compare.fork_say": (
        "A branch keeps the text and every setting of “{run}” but those you change, and begins from its weights or "
        "from fresh ones.",
        "枝は「{run}」のテキストと設定を受け継ぎ、変えたところだけが違います。重みも引き継ぐか、新しくはじめられます。",
    ),
    "compare.fork_none": (
        "Choose a run in the library first; a branch begins from it.",
        "先にライブラリで学習を選んでください。そこから枝分かれします。",
    ),
    "compare.weights": ("Begin from", "はじめの重み"),
    "compare.weights.best": ("its best weights", "最良の重み"),
    "compare.weights.last": ("its last weights", "最新の重み"),
    "compare.weights.none": ("fresh weights", "新しい重み"),
    "compare.name": ("Name of the branch", "枝の名前"),
    "compare.name_info": ("Left empty, it is made from the run's name.", "空のままなら、元の名前から作ります。"),
    "compare.setting": ("Setting to change", "変える設定"),
    "compare.value": ("Its value", "その値"),
    "compare.change": ("Change it", "変える"),
    "compare.clear": ("Clear all", "すべて戻す"),
    "compare.changes": ("What the branch changes", "変えるところ"),
    "compare.no_changes": ("Nothing yet.", "まだありません。"),
    "compare.go": ("Start the branch", "枝を学習する"),
    "compare.race": ("Race them", "競走させる"),
    "compare.race_say": (
        "A race trains two from fresh weights, side by side and with the same seed: one as the run was, one with your "
        "changes.",
        "競走では、同じシードの新しい重みから二つを並べて学習します。一方は元のまま、もう一方は変更ありです。",
    ),
    "compare.race_elsewhere": ("The race, each command in a terminal of its own:", "競走。コマンドは一つずつ別の端末で:"),
    "compare.race_needs": (
        "A race needs a difference: change at least one setting first.",
        "競走には違いが要ります。先に設定を一つ以上変えてください。",
    ),
    "compare.no_setting": ("Choose a setting to change first.", "先に変える設定を選んでください。"),
    "compare.not_a_number": (
        "{label}: “{value}” is not a number; write for example {default}",
        "「{label}」：「{value}」は数ではありません。たとえば {default} と書いてください",
    ),
    "compare.not_a_switch": (
        "{label}: “{value}” is neither on nor off; write on or off",
        "「{label}」：「{value}」は on でも off でもありません。on か off と書いてください",
    ),
    "overlay.label": ("Loss of the runs", "学習ごとの損失"),
    "overlay.step": ("step", "ステップ"),
    "overlay.time_seconds": ("minutes", "分"),
    "overlay.tokens": ("tokens", "トークン"),
    "overlay.epoch": ("epochs", "エポック"),
    "overlay.val_bits_per_byte": ("bits per byte", "ビット/バイト"),
    "overlay.val_loss": ("nats per token", "nat/トークン"),
    "overlay.as_table": ("As a table", "表で見る"),
    "overlay.run": ("run", "学習"),
    "overlay.over": ("over", "横軸"),
    "overlay.empty": ("The curves of the chosen runs appear here.", "選んだ学習の曲線がここに現れます。"),
}
