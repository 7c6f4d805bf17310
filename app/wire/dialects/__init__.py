"""Families of AI APIs: what their paths ask for, how they tell errors, and what their answers say.

asked          what a request asks for, by its method and path: which dialect, where its model stands
credentials    the callers' out of a request, ours into it
dialect        what all dialects share; openai, responses, anthropic, gemini: one each
observers      an answer's bytes as they pass -> what it says
upstream_path  a request's path below a base URL
"""
