"""What answers tell of the tokens that they used, by dialect, and how much text there is where they tell nothing.

counts     what was told, as six counts that do not overlap
openai     of chat, completions, embeddings, images, audio and responses;  anthropic, gemini: one each
text       how much text an event, a body or a request holds
meter      of one answer: reads what passes, as little of it as can be
"""
