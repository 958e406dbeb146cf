"""The words of the Share tab and of what travels to the Hub."""

# key: (English, Japanese). Braces are filled by `text.say`; a widget's text has none.
WORDS = {
    "share.run": ("Run", "学習"),
    "share.hub": (
        "### On the Hugging Face Hub\n\nA page of its own for your model, with a card that tells how it was made. "
        "Anyone can load it in transformers, without code from here.",
        "### Hugging Face Hub で共有\n\nモデルのページができ、作り方を伝えるモデルカードが付きます。"
        "このプログラムがなくても、誰でも transformers で読み込めます。",
    ),
    "share.repo": ("Repository", "リポジトリ"),
    "share.repo_info": ("user/name; push again to renew it.", "ユーザー名/名前。もう一度送ると更新します。"),
    "share.which": ("Model", "モデル"),
    "share.which_info": ("Best on unseen text, or the last one.", "未見テキストで最良のもの、または最新のもの。"),
    "share.license": ("Licence", "ライセンス"),
    "share.license_info": ("What others may do with the model.", "モデルを他の人がどう使えるか。"),
    "share.languages": ("Language of the text", "テキストの言語"),
    "share.languages_info": ("Others find it by this.", "検索の手がかりになります。"),
    "share.private": ("Private", "非公開"),
    "share.private_info": ("Only you can see it.", "自分だけが見られます。"),
    "share.with_corpus": ("Send the text along", "テキストも送る"),
    "share.with_corpus_info": (
        "Only if you have the right to publish it: the model's licence is not a licence of the text.",
        "公開する権利のあるテキストに限ります。モデルのライセンスはテキストには及びません。",
    ),
    "share.with_demo": ("Publish a demo too", "デモも公開する"),
    "share.with_demo_info": (
        "A page where everyone can try it in the browser.",
        "ブラウザで誰でも試せるページ(Space)です。",
    ),
    "share.token": ("Access token", "アクセストークン"),
    "share.token_info": (
        "With write permission, from huggingface.co/settings/tokens. Used for the next press, then forgotten. "
        "To be asked no more: hf auth login",
        "書き込み権限のあるもの(huggingface.co/settings/tokens)。次の一回だけ使い、すぐに忘れます。"
        "毎回の入力を省くには hf auth login を。",
    ),
    "share.sign_in_first": (
        "Sign in with Hugging Face first: what you push becomes yours.",
        "先に Hugging Face にサインインしてください。送ったものはあなたのものになります。",
    ),
    "share.push": ("Push to the Hub", "Hub に送る"),
    "share.preview": ("Preview the card", "カードを見る"),
    "share.cancel": ("Cancel", "取り消す"),
    "share.pushed": ("It is on the Hub; {who} can open this link:", "Hub に送りました。このリンクは{who}開けます。"),
    "share.unchanged": (
        "Nothing had changed since the last push; {who} can open this link:",
        "前回から変わっていません。このリンクは{who}開けます。",
    ),
    "share.everyone": ("everyone", "誰でも"),
    "share.only_you": ("only you", "あなただけが"),
    "share.demo": ("Publish a demo Space", "デモの Space を公開"),
    "share.published": (
        "The demo is being built; in a few minutes it runs at this link:",
        "デモを組み立てています。数分でこのリンクから使えます。",
    ),
    "share.card": (
        "### Model card\n\nThe page that others see first. What you edit is pushed as it stands.",
        "### モデルカード\n\n最初に見られるページです。書き直した内容がそのまま送られます。",
    ),
    "share.card_look": ("As it will look", "見た目"),
    "share.card_edit": ("Edit", "書き直す"),
    "share.along": ("### Take it along", "### 持ち出す"),
    "share.report": ("Make a report", "レポート"),
    "share.zip": ("Make a zip", "zip"),
    "share.download": ("Download", "ダウンロード"),
    "share.folder": ("Name of the folder", "フォルダ名"),
    "share.folder_info": ("Left empty, it is called like the run.", "空のままなら、学習と同じ名前になります。"),
    "share.export": ("Export as a folder", "フォルダに書き出す"),
    "share.say": (
        "The best model of the run, whole in one folder: weights, settings and tokenizer. "
        "It opens in transformers without this program.",
        "最良のモデルを、重み・設定・トークナイザごと一つのフォルダにまとめます。"
        "このプログラムがなくても transformers で開けます。",
    ),
    "share.empty": (
        "Nothing to share yet: a run can be taken along from its first measurement on.",
        "まだ共有できるものがありません。最初の測定が済んだ学習から持ち出せます。",
    ),
    "share.inside": ("What is inside", "中身"),
    "share.open": ("Open it in Python", "Python で開く"),
    "share.exported": ("Exported to {path}", "{path} に書き出しました"),
    "share.no_run": ("Choose a run first.", "先に学習を選んでください。"),
    "transfer.cancelling": ("Cancelling", "取り消しています"),
    "transfer.sizes": ("{done} of {total}", "{total} 中 {done}"),
}
