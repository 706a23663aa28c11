package io.github.vfio4j.sim;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowable;

import io.github.vfio4j.sim.LiveHandles.Handle;
import java.lang.reflect.Array;
import java.lang.reflect.Constructor;
import java.lang.reflect.Executable;
import java.lang.reflect.Modifier;
import java.lang.reflect.Parameter;
import java.lang.reflect.Type;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.Collections;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.Timeout;

/**
 * Every public method and constructor that takes an object is given null in its place, and a collection with null in it.
 * It says which parameter that is, makes no system call, and leaves everything as it was.
 */
@Timeout(60)
class NullTest {
    private static LiveHandles live;

    @BeforeAll
    static void open() {
        live = new LiveHandles();
    }

    @AfterAll
    static void end() {
        live.close();
    }

    private static List<Executable> membersThatTakeObjects() {
        return PublicApi.members().stream()
                .filter(member -> Arrays.stream(member.getParameters()).anyMatch(PublicApi::isReference))
                .toList();
    }

    @Test
    void theApiIsFound() {
        assertThat(PublicApi.types()).hasSizeGreaterThan(70);
        assertThat(membersThatTakeObjects()).extracting(PublicApi::name).contains("Container.attach(Group)");
    }

    @TestFactory
    List<DynamicTest> nullIsRefusedByName() {
        List<DynamicTest> tests = new ArrayList<>();
        for (Executable member : membersThatTakeObjects()) {
            List<Handle> receivers = isBare(member) ? List.of(new Handle("", "")) : live.receivers(member.getDeclaringClass());
            if (receivers.isEmpty()) {
                tests.add(failing(member, "nobody has an object of this type in LiveHandles"));
            }
            List<String> names = PublicApi.parameterNames(member);
            for (Handle receiver : receivers) {
                Parameter[] parameters = member.getParameters();
                for (int i = 0; i < parameters.length; i++) {
                    if (PublicApi.isReference(parameters[i])) {
                        tests.add(test(member, receiver, i, null, names.get(i)));
                        Object holding = holdingNull(parameters[i].getType());
                        if (holding != null) {
                            tests.add(test(member, receiver, i, holding, names.get(i)));
                        }
                    }
                }
            }
        }
        return tests;
    }

    private static boolean isBare(Executable member) {
        return member instanceof Constructor || Modifier.isStatic(member.getModifiers());
    }

    private static DynamicTest failing(Executable member, String why) {
        return DynamicTest.dynamicTest(PublicApi.name(member), () -> {
            throw new AssertionError(PublicApi.name(member) + ": " + why);
        });
    }

    private static Object holdingNull(Class<?> type) {
        if (type == Set.class) {
            return Collections.singleton(null);
        }
        if (Collection.class.isAssignableFrom(type)) {
            return Collections.singletonList(null);
        }
        return type.isArray() && !type.componentType().isPrimitive() ? Array.newInstance(type.componentType(), 1) : null;
    }

    private static DynamicTest test(Executable member, Handle receiver, int bad, Object value, String name) {
        String title = "%s%s refuses %s for %s"
                .formatted(
                        PublicApi.name(member),
                        receiver.way().isEmpty() ? "" : " of a " + receiver,
                        value == null ? "null" : "a null element",
                        name);
        return DynamicTest.dynamicTest(title, () -> {
            Object[] arguments = new Object[member.getParameterCount()];
            Type[] types = member.getGenericParameterTypes();
            for (int i = 0; i < arguments.length; i++) {
                int number = i;
                arguments[i] = i == bad
                        ? value
                        : live.argument(types[i], receiver.way())
                                .orElseThrow(() -> new AssertionError(
                                        "nobody has a " + types[number] + " to hand over in LiveHandles"));
            }
            List<String> before = live.held();
            live.newCalls();
            Throwable refusal = catchThrowable(() -> PublicApi.call(member, receiver.object(), arguments));
            assertThat(live.newCalls()).as("system calls of %s", title).isEmpty();
            assertThat(live.held()).as(title).isEqualTo(before);
            assertThat(refusal).as(title).isInstanceOf(NullPointerException.class);
            assertThat(refusal).as(title).hasMessage(value == null ? name : name + " contains null");
        });
    }
}
