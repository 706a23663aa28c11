package io.github.vfio4j.sim;

import io.github.vfio4j.Vfio;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.lang.classfile.Attributes;
import java.lang.classfile.ClassFile;
import java.lang.classfile.ClassModel;
import java.lang.classfile.MethodModel;
import java.lang.constant.ClassDesc;
import java.lang.constant.MethodTypeDesc;
import java.lang.module.ModuleFinder;
import java.lang.module.ModuleReader;
import java.lang.reflect.Constructor;
import java.lang.reflect.Executable;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.lang.reflect.Parameter;
import java.net.URISyntaxException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** What the module io.github.vfio4j offers to programs, found in its class files. */
final class PublicApi {
    private static final String PACKAGE = "io/github/vfio4j/";

    private PublicApi() {}

    /** The public types of the package that programs see, the nested ones too. */
    static List<Class<?>> types() {
        try (ModuleReader module = ModuleFinder.of(
                        Path.of(Vfio.class.getProtectionDomain().getCodeSource().getLocation().toURI()))
                .find("io.github.vfio4j")
                .orElseThrow()
                .open()) {
            List<String> names = module.list()
                    .filter(name -> name.startsWith(PACKAGE) && name.endsWith(".class"))
                    .filter(name -> name.indexOf('/', PACKAGE.length()) < 0 && !name.endsWith("package-info.class"))
                    .map(name -> name.substring(0, name.length() - ".class".length()).replace('/', '.'))
                    .sorted()
                    .toList();
            List<Class<?>> types = new ArrayList<>();
            for (String name : names) {
                Class<?> type = Class.forName(name, false, Vfio.class.getClassLoader());
                if (isPublic(type)) {
                    types.add(type);
                }
            }
            return types;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } catch (URISyntaxException | ClassNotFoundException e) {
            throw new AssertionError(e);
        }
    }

    private static boolean isPublic(Class<?> type) {
        return Modifier.isPublic(type.getModifiers())
                && (type.getDeclaringClass() == null || isPublic(type.getDeclaringClass()));
    }

    /**
     * The public methods and constructors that the project wrote, sorted by name. Not {@code equals}, to which null is no
     * mistake, nor what programs implement: the methods of an interface that is not sealed.
     */
    static List<Executable> members() {
        return types().stream()
                .flatMap(type -> Stream.concat(
                        Arrays.stream(type.getDeclaredConstructors()), Arrays.stream(type.getDeclaredMethods())))
                .filter(member -> Modifier.isPublic(member.getModifiers()) && !member.isSynthetic())
                .filter(member -> !writtenByTheCompiler(member) && !member.getName().equals("equals"))
                .filter(member -> !member.getDeclaringClass().isInterface()
                        || member.getDeclaringClass().isSealed()
                        || !Modifier.isAbstract(member.getModifiers()))
                .sorted(Comparator.comparing(PublicApi::name))
                .collect(Collectors.toList());
    }

    private static boolean writtenByTheCompiler(Executable member) {
        return member.getDeclaringClass().isEnum()
                && (member.getName().equals("valueOf") || member.getName().equals("values"));
    }

    static boolean isReference(Parameter parameter) {
        return !parameter.getType().isPrimitive();
    }

    /** Such as {@code Container.attach(Group)}. */
    static String name(Executable member) {
        String owner = simple(member.getDeclaringClass());
        return (member instanceof Constructor ? "new " + owner : owner + "." + member.getName())
                + Arrays.stream(member.getParameterTypes()).map(PublicApi::simple).collect(Collectors.joining(", ", "(", ")"));
    }

    private static String simple(Class<?> type) {
        Class<?> outer = type.getDeclaringClass();
        return outer == null ? type.getSimpleName() : simple(outer) + "." + type.getSimpleName();
    }

    /** The parameters' names as the source has them. */
    static List<String> parameterNames(Executable member) {
        MethodModel method = methodIn(classFile(member.getDeclaringClass()), member);
        var locals = method.code()
                .flatMap(code -> code.findAttribute(Attributes.localVariableTable()))
                .orElseThrow(() -> new AssertionError(name(member) + " was compiled without the names of its variables"))
                .localVariables();
        List<String> names = new ArrayList<>();
        int slot = Modifier.isStatic(member.getModifiers()) ? 0 : 1;
        for (Class<?> type : member.getParameterTypes()) {
            int wanted = slot;
            names.add(locals.stream()
                    .filter(local -> local.slot() == wanted && local.startPc() == 0)
                    .findFirst()
                    .orElseThrow()
                    .name()
                    .stringValue());
            slot += type == long.class || type == double.class ? 2 : 1;
        }
        return names;
    }

    private static ClassModel classFile(Class<?> type) {
        try (InputStream in = type.getResourceAsStream(
                type.getName().substring(type.getName().lastIndexOf('.') + 1) + ".class")) {
            return ClassFile.of().parse(in.readAllBytes());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static MethodModel methodIn(ClassModel file, Executable member) {
        Class<?> result = member instanceof Method method ? method.getReturnType() : void.class;
        String name = member instanceof Constructor ? "<init>" : member.getName();
        MethodTypeDesc type = MethodTypeDesc.of(
                descriptor(result),
                Arrays.stream(member.getParameterTypes()).map(PublicApi::descriptor).toList());
        return file.methods().stream()
                .filter(method -> method.methodName().equalsString(name) && method.methodTypeSymbol().equals(type))
                .findFirst()
                .orElseThrow();
    }

    private static ClassDesc descriptor(Class<?> type) {
        return type.describeConstable().orElseThrow();
    }

    /** Calls a method of an object, or makes one; throws what it throws. */
    static Object call(Executable member, Object receiver, Object... arguments) throws Throwable {
        try {
            return switch (member) {
                case Constructor<?> constructor -> constructor.newInstance(arguments);
                case Method method -> method.invoke(receiver, arguments);
            };
        } catch (InvocationTargetException e) {
            throw e.getCause();
        }
    }
}
