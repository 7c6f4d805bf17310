"""How many tokens a request has, estimated, in the dialect in which it is asked and without asking anybody.

text        tokens of a text in any language;  images  how large an image is, by its first bytes
families    what the tokenizers of model families make of text, images and pages
long_json   a long request read in short steps;  media  base64 in it
tally       what adds up;  anthropic  gemini  responses  what counts in each dialect
answers     from a request's bytes to the body of the answer
"""
