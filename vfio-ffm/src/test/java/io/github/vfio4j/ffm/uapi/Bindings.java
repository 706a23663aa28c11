package io.github.vfio4j.ffm.uapi;

import static java.util.stream.Collectors.toCollection;

import io.github.vfio4j.ffm.gen.vfio_h;
import java.io.IOException;
import java.lang.foreign.GroupLayout;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.PaddingLayout;
import java.lang.foreign.SequenceLayout;
import java.lang.foreign.UnionLayout;
import java.lang.foreign.ValueLayout;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;

/**
 * Everything that the generated package and {@link UapiExtras} say about the kernel's user API, found by reflection. A
 * class or member of a form that is not known here is an error: it would otherwise go unproven.
 */
final class Bindings {

    /** Arguments for the macros that take a device state: every state, and other bits around it. */
    private static final int[] DEVICE_STATES = {
        0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 14, 15, 0x100, 0x7ffffffe, 0x80000000, 0x80000006, 0xfffffff9, 0xffffffff
    };

    private static final Map<String, String> C_TYPES = Map.of(
            "C_BOOL", "_Bool",
            "C_CHAR", "char",
            "C_SHORT", "short",
            "C_INT", "int",
            "C_LONG", "long",
            "C_LONG_LONG", "long long",
            "C_FLOAT", "float",
            "C_DOUBLE", "double",
            "C_POINTER", "void *");

    private final Set<String> ioctls;
    final List<Probe> probes = new ArrayList<>();
    final List<Class<?>> classes = new ArrayList<>();
    /** The fields of each struct, those of anonymous structs and unions inside it included. */
    final Map<String, Set<String>> structs = new LinkedHashMap<>();
    /** The names of constants, strings and macros. */
    final Set<String> names = new TreeSet<>();

    /** @param ioctls the names that the headers define as ioctl numbers; they are counted apart from other constants */
    Bindings(Set<String> ioctls) throws Exception {
        this.ioctls = ioctls;
        for (Class<?> type : generatedClasses()) {
            if (type.isLocalClass()) {
                continue; // the holder of a string constant, seen through its accessor
            }
            classes.add(type);
            if (type.getSimpleName().endsWith("_h$shared")) {
                addTypes(type);
            } else if (hasMethod(type, "layout")) {
                addStruct(type);
            } else if (type.getSimpleName().endsWith("_h")) {
                addConstants(type);
            } else {
                throw new AssertionError("neither a header nor a struct: " + type);
            }
        }
        addExtras();
    }

    private static List<Class<?>> generatedClasses() throws IOException, ReflectiveOperationException {
        URI root = URI.create(vfio_h.class.getProtectionDomain().getCodeSource().getLocation().toString());
        Path directory = Path.of(root).resolve(vfio_h.class.getPackageName().replace('.', '/'));
        List<Class<?>> found = new ArrayList<>();
        try (var files = Files.list(directory)) {
            for (Path file : files.sorted().toList()) {
                String name = file.getFileName().toString().replaceFirst("\\.class$", "");
                found.add(Class.forName(vfio_h.class.getPackageName() + "." + name));
            }
        }
        return found;
    }

    private static boolean hasMethod(Class<?> type, String name) {
        return Arrays.stream(type.getDeclaredMethods()).anyMatch(method -> method.getName().equals(name));
    }

    private static List<Method> accessors(Class<?> type) {
        return Arrays.stream(type.getDeclaredMethods())
                .filter(method -> Modifier.isPublic(method.getModifiers()) && method.getParameterCount() == 0)
                .sorted(Comparator.comparing(Method::getName))
                .toList();
    }

    private void addTypes(Class<?> shared) throws ReflectiveOperationException {
        for (var field : shared.getFields()) {
            ValueLayout layout = (ValueLayout) field.get(null);
            String type = C_TYPES.get(field.getName());
            if (type == null) {
                throw new AssertionError("unknown C type " + field);
            }
            String subject = shared.getSimpleName() + "." + field.getName();
            probes.add(new Probe(Probe.Kind.C_TYPE, subject, "sizeof(" + type + ")", layout.byteSize()));
        }
    }

    private void addConstants(Class<?> header) throws ReflectiveOperationException {
        for (Method accessor : accessors(header)) {
            addConstant(accessor.getName(), accessor.invoke(null));
        }
    }

    private void addConstant(String name, Object value) {
        names.add(name);
        switch (value) {
            case Integer number -> addNumber(name, number);
            case Long number -> addNumber(name, number);
            case MemorySegment text -> probes.add(new Probe(Probe.Kind.STRING, name, name, text.getString(0)));
            default -> throw new AssertionError("neither a number nor a string: " + name + " = " + value);
        }
    }

    private void addNumber(String name, long value) {
        Probe.Kind kind = ioctls.contains(name) ? Probe.Kind.IOCTL : Probe.Kind.CONSTANT;
        probes.add(new Probe(kind, name, name, value));
    }

    private void addStruct(Class<?> type) throws ReflectiveOperationException {
        GroupLayout layout = (GroupLayout) type.getMethod("layout").invoke(null);
        String struct = layout.name().orElseThrow();
        if (!struct.equals(type.getSimpleName())) {
            throw new AssertionError("the layout of " + type + " calls itself " + struct);
        }
        String cType = (layout instanceof UnionLayout ? "union " : "struct ") + struct;
        Set<String> fields = accessors(type).stream()
                .map(Method::getName)
                .filter(name -> name.endsWith("$offset"))
                .map(name -> name.substring(0, name.length() - "$offset".length()))
                .collect(toCollection(TreeSet::new));
        Set<String> named = new TreeSet<>();
        addFieldNames(layout, named);
        if (!fields.equals(named)) {
            throw new AssertionError(struct + " has the layout fields " + named + " and accessors for " + fields);
        }
        structs.put(struct, fields);
        probes.add(new Probe(Probe.Kind.STRUCT_SIZE, struct, "sizeof(" + cType + ")", layout.byteSize()));
        probes.add(new Probe(Probe.Kind.STRUCT_ALIGNMENT, struct, "_Alignof(" + cType + ")", layout.byteAlignment()));
        for (String field : fields) {
            String subject = struct + "." + field;
            long offset = (long) type.getMethod(field + "$offset").invoke(null);
            probes.add(new Probe(
                    Probe.Kind.FIELD_OFFSET, subject, "__builtin_offsetof(" + cType + ", " + field + ")", offset));
            MemoryLayout fieldLayout = (MemoryLayout) type.getMethod(field + "$layout").invoke(null);
            String member = "((" + cType + " *)0)->" + field;
            if (fieldLayout instanceof SequenceLayout array && array.elementCount() == 0) {
                // A flexible array has no size in C; its elements have.
                fieldLayout = array.elementLayout();
                member += "[0]";
            }
            probes.add(new Probe(Probe.Kind.FIELD_SIZE, subject, "sizeof(" + member + ")", fieldLayout.byteSize()));
        }
    }

    private static void addFieldNames(GroupLayout layout, Set<String> names) {
        for (MemoryLayout member : layout.memberLayouts()) {
            if (member instanceof PaddingLayout) {
                continue;
            }
            String name = member.name().orElseThrow();
            if (member instanceof GroupLayout group && name.startsWith("$anon$")) {
                addFieldNames(group, names);
            } else {
                names.add(name);
            }
        }
    }

    private void addExtras() throws ReflectiveOperationException {
        for (var field : UapiExtras.class.getFields()) {
            addConstant(field.getName(), field.get(null));
        }
        for (Method macro : UapiExtras.class.getDeclaredMethods()) {
            if (!Modifier.isPublic(macro.getModifiers()) || macro.isSynthetic()) {
                continue;
            }
            if (!Arrays.equals(macro.getParameterTypes(), new Class<?>[] {int.class})) {
                throw new AssertionError("no values to try this macro with: " + macro);
            }
            names.add(macro.getName());
            for (int argument : DEVICE_STATES) {
                String call = macro.getName() + "(" + Integer.toUnsignedString(argument) + "U)";
                switch (macro.invoke(null, argument)) {
                    case Boolean truth -> probes.add(new Probe(Probe.Kind.MACRO, call, "!!" + call, truth ? 1 : 0));
                    case Integer bits ->
                        probes.add(new Probe(Probe.Kind.MACRO, call, call, Integer.toUnsignedLong(bits)));
                    default -> throw new AssertionError("neither a truth value nor a number: " + macro);
                }
            }
        }
    }
}
