package io.github.vfio4j;

import static org.assertj.core.api.Assertions.assertThat;

import java.net.URI;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import javax.tools.Diagnostic;
import javax.tools.DiagnosticCollector;
import javax.tools.JavaCompiler;
import javax.tools.JavaFileObject;
import javax.tools.SimpleJavaFileObject;
import javax.tools.ToolProvider;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The order of VFIO's steps is in the types: a program that takes them in a wrong order is no program. */
class WrongOrderDoesNotCompileTest {
    @TempDir
    Path classes;

    @Test
    void theStepsInOrderCompile() {
        assertThat(errors("""
                container.attach(group);
                Type1 iommu = container.setIommu(IommuType.TYPE1_V2);
                Device device = iommu.openDevice(group, address);
                DmaBuffer memory = iommu.allocate(4096, Access.READ_WRITE);
                Mmio registers = device.region(0).map();
                device.config().enableBusMaster();
                registers.write64Opaque(0, memory.iova());
                device.close();
                container.detach(group);
                """)).isEmpty();
    }

    @Test
    void theStepsOfAnIommufdInOrderCompile() {
        assertThat(errors("""
                Iommufd iommufd = vfio.openIommufd();
                Device device = iommufd.openDevice(address);
                Ioas ioas = iommufd.allocateIoas();
                device.attach(ioas);
                AddressSpace iommu = device.iommu();
                DmaBuffer memory = iommu.allocate(4096, Access.READ_WRITE);
                Mmio registers = device.region(0).map();
                device.config().enableBusMaster();
                registers.write64Opaque(0, memory.iova());
                device.close();
                """)).isEmpty();
    }

    // Each program, and what the compiler must point at.
    @ParameterizedTest(name = "{0}")
    @CsvSource(
            delimiter = '|',
            textBlock = """
            a group opens no device                  | group.openDevice(address);                              | openDevice
            a container opens no device              | container.openDevice(group, address);                   | openDevice
            a container maps no memory               | container.allocate(4096, Access.READ);                  | allocate
            a group maps no memory                   | group.allocate(4096, Access.READ);                      | allocate
            a group has no IOMMU to set              | group.setIommu(IommuType.TYPE1_V2);                     | setIommu
            an IOMMU is not made by hand             | new Type1(null, container, IommuType.TYPE1_V2);         | Type1
            a container is not made by hand          | new Container(vfio, null);                              | Container
            a device is not made by hand             | new Device(null, group, null, null, "");                | Device
            memory is not made by hand               | new DmaBuffer(null, null, null, null, 0, Access.READ);  | DmaBuffer
            registers are not made by hand           | new Mmio(0, 4096, new Object());                        | Mapping
            a descriptor is no group                 | container.attach(26);                                   | int
            a container joins no container           | container.attach(container);                            | Container
            an IOMMU type is no number               | container.setIommu(3);                                  | int
            a query extension is no IOMMU type       | container.setIommu(IommuType.DMA_CC);                   | DMA_CC
            no flag word in place of an access       | container.setIommu(IommuType.TYPE1).allocate(4096, 3);  | int
            an iommufd maps no memory                | vfio.openIommufd().allocate(4096, Access.READ);         | allocate
            a device is not attached to an iommufd   | vfio.openDevice(address).attach(vfio.openIommufd());    | Iommufd
            an address space opens no device         | vfio.openIommufd().allocateIoas().openDevice(address);  | openDevice
            an address space is not made by hand     | new Ioas(null, 1);                                      | Ioas
            a map without a direction does not exist | container.setIommu(IommuType.TYPE1).allocate(4096);     | allocate
            """)
    void aStepOutOfOrderDoesNotCompile(String name, String statement, String pointsAt) {
        assertThat(errors(statement)).as(statement).isNotEmpty().anySatisfy(error -> assertThat(
                        error.getMessage(Locale.ROOT))
                .contains(pointsAt));
    }

    private List<Diagnostic<? extends JavaFileObject>> errors(String statements) {
        String program = """
                package somebody;
                import io.github.vfio4j.*;
                class Program {
                    void run(Vfio vfio, Container container, Group group, PciAddress address) {
                        %s
                    }
                }
                """.formatted(statements);
        JavaFileObject source = new SimpleJavaFileObject(URI.create("string:///somebody/Program.java"), JavaFileObject.Kind.SOURCE) {
            @Override
            public CharSequence getCharContent(boolean ignoreEncodingErrors) {
                return program;
            }
        };
        DiagnosticCollector<JavaFileObject> found = new DiagnosticCollector<>();
        JavaCompiler compiler = ToolProvider.getSystemJavaCompiler();
        compiler.getTask(
                        null,
                        null,
                        found,
                        List.of("-d", classes.toString(), "-classpath", apiClasses(), "-proc:none"),
                        null,
                        List.of(source))
                .call();
        return found.getDiagnostics().stream()
                .filter(d -> d.getKind() == Diagnostic.Kind.ERROR)
                .toList();
    }

    private static String apiClasses() {
        return Path.of(URI.create(
                        Vfio.class.getProtectionDomain().getCodeSource().getLocation().toString()))
                .toString();
    }
}
