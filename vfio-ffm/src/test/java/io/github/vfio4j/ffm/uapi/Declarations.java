package io.github.vfio4j.ffm.uapi;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;

/**
 * The enum constants and the structs with their fields in preprocessed C, for the plain style of kernel headers:
 * structs and unions, anonymous ones inside them, arrays, attributes. What it cannot read is an error.
 */
final class Declarations {

    private static final Pattern TOKEN = Pattern.compile("\\w+|\"[^\"]*\"|\\S");

    private final List<String> tokens;
    private int at;

    final Set<String> enumConstants = new TreeSet<>();
    /** Each named struct and union with its fields, those of anonymous members included. */
    final Map<String, Set<String>> structs = new LinkedHashMap<>();

    Declarations(String source) {
        tokens = TOKEN.matcher(source).results().map(MatchResult::group).toList();
        while (at < tokens.size()) {
            declaration(null);
        }
    }

    private String next() {
        if (at == tokens.size()) {
            throw new AssertionError("the declarations end in the middle of one");
        }
        return tokens.get(at++);
    }

    private boolean accept(String token) {
        boolean accepted = at < tokens.size() && tokens.get(at).equals(token);
        if (accepted) {
            at++;
        }
        return accepted;
    }

    /** One declaration up to its semicolon; adds the names that it declares to {@code fields}, unless that is null. */
    private void declaration(Set<String> fields) {
        List<String> declarator = new ArrayList<>();
        Set<String> anonymous = null;
        for (String token = next(); !token.equals(";"); token = next()) {
            switch (token) {
                case "__attribute__" -> skipParentheses();
                case "__extension__" -> {}
                case "{", "}" -> throw new AssertionError("not a declaration that is understood here: " + declarator);
                case "struct", "union" -> {
                    skipAttributes();
                    String name = tokens.get(at).equals("{") ? null : next();
                    if (accept("{")) {
                        Set<String> members = new TreeSet<>();
                        while (!accept("}")) {
                            declaration(members);
                        }
                        if (name == null) {
                            anonymous = members;
                        } else {
                            structs.put(name, members);
                        }
                    }
                }
                case "enum" -> {
                    if (!tokens.get(at).equals("{")) {
                        next();
                    }
                    if (accept("{")) {
                        enumerators();
                    }
                }
                default -> declarator.add(token);
            }
        }
        if (fields == null) {
            return;
        }
        if (anonymous != null && declarator.isEmpty()) {
            fields.addAll(anonymous);
        } else {
            fields.addAll(declaredNames(declarator));
        }
    }

    /** The names in {@code __u32 a, *b, c[4]}: the last word before each comma, bracket, colon or the end. */
    private static List<String> declaredNames(List<String> declarator) {
        List<String> names = new ArrayList<>();
        String word = null;
        boolean named = false;
        for (String token : declarator) {
            switch (token) {
                case "," -> {
                    names.add(word);
                    named = false;
                }
                case "[", ":" -> named = true;
                default -> {
                    if (!named && Character.isJavaIdentifierStart(token.charAt(0))) {
                        word = token;
                    }
                }
            }
        }
        if (word == null) {
            throw new AssertionError("no name in the declaration " + declarator);
        }
        names.add(word);
        return names;
    }

    private void enumerators() {
        while (!accept("}")) {
            enumConstants.add(next());
            int depth = 0;
            while (depth > 0 || !tokens.get(at).equals("}")) {
                String token = next();
                if (depth == 0 && token.equals(",")) {
                    break;
                }
                depth += nesting(token);
            }
        }
    }

    private void skipAttributes() {
        while (accept("__attribute__")) {
            skipParentheses();
        }
    }

    private void skipParentheses() {
        int depth = 0;
        do {
            depth += nesting(next());
        } while (depth > 0);
    }

    private static int nesting(String token) {
        return token.equals("(") ? 1 : token.equals(")") ? -1 : 0;
    }
}
